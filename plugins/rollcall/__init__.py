"""Rollcall: nightly OneRoster deliveries, checked before they count, published as one roster.

The folders follow the way of the data: arrival, archive, landing, gate, decision, conform, publish, report.
"""

__version__ = "0.1.0"
