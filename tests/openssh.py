"""OpenSSH's own SFTP client, which districts' data managers and their systems may have."""

import hashlib
import os
from pathlib import Path


def command(host: str, port: int, login: str, known_hosts: Path, key: Path | None = None) -> list[str]:
    """How to start it so that it reads its commands from standard input, and stops at the first that fails.

    Args:
        host: The server.
        port: Its port.
        login: Whose account.
        known_hosts: Where the server's key is kept: it is believed at first sight, and no other one afterwards.
        key: The private key to log in with; a password is asked for without one.
    """
    options = {
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": str(known_hosts),
        "IdentitiesOnly": "yes",
        "PubkeyAuthentication": "yes" if key else "no",
        "PasswordAuthentication": "no" if key else "yes",
        "NumberOfPasswordPrompts": "1",
        "BatchMode": "no",
    }
    told = [f"-o{name}={value}" for name, value in options.items()] + (["-i", str(key)] if key else [])
    return ["sftp", "-q", "-P", str(port), *told, "-b", "-", f"{login}@{host}"]


def answering(folder: Path, password: str) -> dict[str, str]:
    """The environment of a client that is asked for a password.

    Args:
        folder: Where the program lies that answers.
        password: What it answers.
    """
    program = folder / f"answer-{hashlib.sha256(password.encode()).hexdigest()[:8]}"
    if not program.exists():
        program.write_text(f"#!/bin/sh\necho '{password}'\n")
        program.chmod(0o700)
    return os.environ | {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}
