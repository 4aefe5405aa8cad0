"""``python -m rollcall.authoring``: write the suites."""

import sys

from rollcall.authoring.render import write
from rollcall.authoring.source import RuleError

if __name__ == "__main__":
    try:
        write()
    except RuleError as error:
        sys.exit(f"The suites were not written. {error}")
