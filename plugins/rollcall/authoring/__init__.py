"""The suites in ``expectations/``, rendered from the rules in ``expectations/rules/`` by ``make rules``.

A rule is written once: for every file, for the columns of a kind or a name, or for the one file that it concerns. What
Great Expectations reads at run time is its own JSON: a suite per file, and one for the delivery.
"""
