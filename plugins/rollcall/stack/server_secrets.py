"""The first step of a start of the Docker stack: no service runs without its secrets.

Run as ``python -m rollcall.stack.server_secrets``, before anything is done without them.
"""

import sys
from pathlib import Path

from rollcall.settings import SECRETS

MAY_BE_BLANK = frozenset({"connections.env", "proxy_certificate", "proxy_key", "rollcall_operators_urls"})
"""What not everybody has."""


def blank_secrets(folder: Path) -> list[str]:
    """The names of the secrets that are missing or blank.

    Args:
        folder: Where they lie, a file for each; in the place of one that is missing, Docker may put a folder.
    """
    blank = [path.name for path in folder.iterdir() if not (path.is_file() and path.read_text().strip())]
    return sorted(set(blank) - MAY_BE_BLANK)


def main() -> None:
    """End with 1 where one is."""
    blank = blank_secrets(SECRETS)
    if blank:
        sys.exit(f"Missing or blank secrets: {', '.join(blank)}. Make them with docker/make_secrets.py.")


if __name__ == "__main__":
    main()
