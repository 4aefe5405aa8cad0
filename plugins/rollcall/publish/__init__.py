"""Publish: the pointer that says which sequence of a district its readers see."""

from rollcall.publish.pointer import move_effective_date, publish

__all__ = ["move_effective_date", "publish"]
