"""Conform: from accepted deliveries to published rosters, with one dbt build for all that wait."""

from rollcall.conform.deployment import deploy
from rollcall.conform.landed import drop_landed
from rollcall.conform.loop import conform
from rollcall.conform.outcomes import BuildImpossibleError, BuildOutcome, LandedRowsLostError, NodeOutcome

__all__ = [
    "BuildImpossibleError",
    "BuildOutcome",
    "LandedRowsLostError",
    "NodeOutcome",
    "conform",
    "deploy",
    "drop_landed",
]
