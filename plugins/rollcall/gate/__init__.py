"""The gate: each landed file, then the delivery as a whole, judged by the suites in ``expectations/``."""

from rollcall.gate.gate import gate_delivery, gate_files
from rollcall.gate.inspection import GateError, LandedRowsGoneError
from rollcall.gate.outcome import DeliveryOutcome, FileOutcome

__all__ = ["DeliveryOutcome", "FileOutcome", "GateError", "LandedRowsGoneError", "gate_delivery", "gate_files"]
