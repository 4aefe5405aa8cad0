"""Nights of many small districts through the real scheduler, against DAGs of the same shape that do nothing."""

from benchmarks.fleet.measure import measure

__all__ = ["measure"]
