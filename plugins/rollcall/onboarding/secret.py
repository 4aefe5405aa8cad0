"""Handing a password over: on the operator's screen once, or to a command of theirs that makes a link of it."""

import shlex
import subprocess

import asyncssh

from rollcall.names import shown
from rollcall.onboarding.district_file import OnboardingError

LONGEST_LINK = 2_000
PATIENCE_SECONDS = 120


def link_from(command: str, password: str) -> str:
    """The link under which the district reads its password.

    Args:
        command: The operator's own command, with its arguments; it reads the password on its standard input, and
            prints the link. No shell is involved.
        password: The password; it is in no argument and no variable.

    Raises:
        OnboardingError: the command fails, or what it prints is no link.
    """
    try:
        done = subprocess.run(
            shlex.split(command), input=password, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise OnboardingError(f"The command for the password could not be run ({type(error).__name__}).") from None
    if done.returncode:  # what it said may quote what it was given
        raise OnboardingError(f"The command for the password ended with {done.returncode}. Nothing was handed over.")
    link = done.stdout.strip()
    if password in link:
        raise OnboardingError("The command for the password printed the password itself. It has to print a link.")
    if not link.startswith("https://") or len(link.split()) != 1 or len(link) > LONGEST_LINK:
        raise OnboardingError("The command for the password has to print one link, beginning with https://.")
    return link


def public_key(text: str) -> str:
    """An SSH public key as ``<type> <base64>``, without its comment.

    Args:
        text: The content of a file such as ``id_ed25519.pub``.

    Raises:
        OnboardingError: it is no public key.
    """
    try:
        key = asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError):
        raise OnboardingError(
            f"{shown(text.strip()[:20])!r}… is no SSH public key. Give the file that ends in .pub."
        ) from None
    return " ".join(key.export_public_key().decode().split()[:2])


def fingerprint(key: str) -> str:
    """A public key's fingerprint, as SSH programs show it: ``SHA256:…``."""
    found: str = asyncssh.import_public_key(key).get_fingerprint()
    return found
