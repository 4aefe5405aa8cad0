"""Print .env.example with every blank secret filled by a random one: ``python3 docker/make_env.py > .env``."""

import os
import re
import secrets
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

SECRET = re.compile(r"^([A-Z_]+(?:_PASSWORD|_SECRET|_KEY))=$")


def filled(line: str) -> str:
    """The line, with a value if it is a secret that has none."""
    match = SECRET.match(line)
    if not match:
        return line
    if match[1] == "AIRFLOW_FERNET_KEY":
        return f"{match[1]}={urlsafe_b64encode(secrets.token_bytes(32)).decode()}"
    return f"{match[1]}={secrets.token_urlsafe(64 if match[1].endswith('_SECRET') else 24)}"


def main() -> None:
    """Print the filled file."""
    if sys.stdout.isatty():
        sys.exit("Send the output into .env, so that the secrets are not on the screen: ... > .env")
    os.fchmod(sys.stdout.fileno(), 0o600)
    template = Path(__file__).resolve().parents[1] / ".env.example"
    print("\n".join(filled(line) for line in template.read_text().splitlines()))


if __name__ == "__main__":
    main()
