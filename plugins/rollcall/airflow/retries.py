"""How soon a task that failed is tried again: seconds, for people and other districts wait for it."""

from datetime import timedelta
from typing import Any

TRY_AGAIN: dict[str, Any] = {
    "retries": 6,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=1),
}
"""Of every DAG: after about 5, 10, 20 and 40 seconds, and twice after a minute, so that a killed process is soon
replaced and three minutes without a service are outlasted. Airflow's own default is five minutes."""
RETRIES_OF_RECEIVE = 14
"""Of the task that reads the inbox: ten minutes without the SFTP service or the archive's store are outlasted, in which
one is restarted or fails over. Each try says what is wrong, and nothing leaves the inbox meanwhile."""
