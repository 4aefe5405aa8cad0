"""Upkeep: what is old goes by policy, how much of it there was stays, and each removal is a row in the ledger."""

from rollcall.upkeep.policies import POLICIES, Policy
from rollcall.upkeep.record import Removal

__all__ = ["POLICIES", "Policy", "Removal"]
