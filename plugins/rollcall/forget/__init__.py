"""Forget: one person goes from everywhere, for good, and what went is a row without personal data."""

from rollcall.forget.forget import CannotForgetError, Forgetting, forget

__all__ = ["CannotForgetError", "Forgetting", "forget"]
