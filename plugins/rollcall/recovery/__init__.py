"""Losing nothing for good: whether all is there, a backup, its restore, the warehouse anew from the archive alone."""
