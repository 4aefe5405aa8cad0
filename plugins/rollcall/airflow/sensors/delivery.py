"""The task ``wait_for_delivery``: waits in the triggerer, and costs no worker."""

from typing import Any

from rollcall.airflow.sensors.waiting import WaitingSensor
from rollcall.airflow.triggers.night import NightTrigger
from rollcall.districts import District


class DeliverySensor(WaitingSensor):
    """Waits until a district's delivery of the night is complete and stable.

    Fails at once, before anything is written down, when the district cannot have the night. Skips when no delivery is
    expected, passes at once when the run has its delivery already (a cleared run reuses it from the archive), and
    fails, naming what is missing and the last good night, when the deadline passes.

    Args:
        district: The district whose inbox is watched.
    """

    def __init__(self, *, district: District, **kwargs: Any) -> None:
        super().__init__(trigger=NightTrigger(district.district_id), **kwargs)
