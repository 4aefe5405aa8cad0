"""Why a delivery cannot be used at all, and what else is found about it before anything in it is read."""

from rollcall.codes import codes_on
from rollcall.findings import Finding

CODES = codes_on("arrival")
NO_CHANGES = "no_changes"
"""The code of a manifest that comes alone, and calls every file absent."""


class UnusableDeliveryError(Exception):
    """What was delivered cannot be told apart or unpacked; the message tells the district why."""

    def __init__(self, code: str, detail: str | None = None) -> None:
        self.finding = Finding(code, detail=detail)
        super().__init__(self.finding.message)
