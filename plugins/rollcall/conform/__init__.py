"""Conform: from accepted deliveries to published rosters, with one dbt build for all that wait."""

from rollcall.conform.deployment import deploy
from rollcall.conform.loop import conform
from rollcall.conform.mart_tests import MartFinding, check_marts
from rollcall.conform.night_correction import CannotCorrectNightError, NightCorrection, correct_night
from rollcall.conform.outcomes import BuildImpossibleError, BuildOutcome, LandedRowsLostError, NodeOutcome
from rollcall.conform.rollback import CannotRollBackError, Rollback, roll_back

__all__ = [
    "BuildImpossibleError",
    "BuildOutcome",
    "CannotCorrectNightError",
    "CannotRollBackError",
    "LandedRowsLostError",
    "MartFinding",
    "NightCorrection",
    "NodeOutcome",
    "Rollback",
    "check_marts",
    "conform",
    "correct_night",
    "deploy",
    "roll_back",
]
