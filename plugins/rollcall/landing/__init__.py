"""Landing: a file's records as raw text in the delivery's own schema, with the line on which each starts."""

from rollcall.landing.land import land_files

__all__ = ["land_files"]
