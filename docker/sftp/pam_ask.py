"""Run by PAM for a login with a password, which comes on standard input: exit 0 lets the user in."""

import json
import os
import socket
import sys

SOCKET = "/run/rollcall/passwords"


def main() -> bool:
    """Whether `passwords.py` says yes."""
    password = sys.stdin.buffer.read().rstrip(b"\0").decode(errors="replace")
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(SOCKET)
        asked.sendall(json.dumps([os.environ["PAM_USER"], password]).encode() + b"\n")
        return asked.recv(8) == b"yes"


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
