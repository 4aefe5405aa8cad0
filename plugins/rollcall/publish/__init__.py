"""Publish: the pointer that says which sequence of a district its readers see."""

from rollcall.publish.pointer import correct_effective_date, move_effective_date, publish

__all__ = ["correct_effective_date", "move_effective_date", "publish"]
