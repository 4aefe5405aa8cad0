"""The SFTP server as a service of the stack."""

import os
import socket
import sys
from pathlib import Path

from rollcall.stack import processes
from rollcall.stack.processes import Record, Service
from rollcall.stack.sftp_accounts import make_folders, write_accounts
from rollcall.stack.state import StackState

NAME = "sftp"


def service(state: StackState) -> Service:
    """How to run the server."""
    argv = [sys.executable, "-m", "rollcall.stack.sftp_server"]
    argv += ["--host", state.sftp_host, "--port", str(state.sftp_port), "--root", str(state.sftp_root)]
    argv += ["--accounts", str(state.state_dir / "sftp_accounts.json")]
    argv += ["--host-key", str(state.state_dir / "sftp_host_key")]
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return Service(name=NAME, argv=argv, env=env, cwd=state.state_dir, log=state.logs_dir / "sftp.log")


def sync_accounts(state: StackState) -> None:
    """Bring folders and accounts file in line with the state; a running server sees it at the next login."""
    make_folders(state.sftp_root, state.accounts)
    write_accounts(state.state_dir / "sftp_accounts.json", [*state.accounts.values(), *state.service_accounts.values()])


def ensure_key(path: Path) -> str:
    """Make an ed25519 key if there is none; its public half as "type base64"."""
    import asyncssh

    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519", comment="rollcall")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.export_private_key())
    public: str = asyncssh.read_private_key(path).export_public_key().decode()
    return " ".join(public.split()[:2])


def ensure_running(state: StackState) -> Record:
    """Start the server if it is down; does not wait for it."""
    record = processes.read_record(state.run_dir, NAME)
    if record is None or record.process() is None:
        record = processes.start(service(state), state.run_dir)
    return record


def is_ready(state: StackState) -> bool:
    """Whether the server greets."""
    try:
        with socket.create_connection((state.sftp_host, state.sftp_port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
