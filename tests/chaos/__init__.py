"""Faults played on the real local stack, one after the other: what happened, how long it took, who had to do what.

Not part of ``make test``: ``make chaos`` takes about half an hour. A fault that does not end well makes it exit 1.
"""
