"""The Airflow assets that connect Rollcall's DAGs."""

from airflow.sdk import Asset

ACCEPTED_DELIVERY = Asset(name="accepted_delivery", uri="rollcall://delivery/accepted")
"""Updated whenever a district's delivery is accepted; the DAG ``conform`` waits for it."""
