"""What the districts' sessions do, line by line in the service's log: names of files and bytes, never contents.

OpenSSH tells it by syslog, which a session confined to a district's folder finds there as ``/dev/log``: one for each
district, so that no line can be another's. Standard library only.
"""

import asyncio
import re
import socket
from pathlib import Path

PRIORITY = re.compile(r"<\d+>\w{3} [ \d]\d [\d:]{8} internal-sftp\[\d+\]: ")
"""What syslog puts before a message."""


class UploadLog:
    """Listens where the districts' sessions tell what they do."""

    def __init__(self) -> None:
        self._listening: dict[str, asyncio.DatagramTransport] = {}

    async def follow(self, jails: dict[str, Path]) -> None:
        """Listen to exactly these districts.

        Args:
            jails: Each district's folder.
        """
        for district in self._listening.keys() - jails.keys():
            self._listening.pop(district).close()
        for district in jails.keys() - self._listening.keys():
            try:
                self._listening[district] = await _listen(district, jails[district] / "dev" / "log")
            except OSError as error:  # one district's trouble is not the others'
                print(f"{district}: its sessions are not logged ({type(error).__name__}).", flush=True)


async def _listen(district: str, path: Path) -> asyncio.DatagramTransport:
    path.unlink(missing_ok=True)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Line(district), local_addr=str(path), family=socket.AF_UNIX
    )
    path.chmod(0o666)
    return transport


class _Line(asyncio.DatagramProtocol):
    def __init__(self, district: str) -> None:
        self._district = district

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Print what a session told; a name of a file cannot begin another line."""
        told = PRIORITY.sub("", data.decode(errors="replace"), count=1).rstrip("\0\n")
        print(f"{self._district}: {told.encode('unicode_escape').decode()}", flush=True)
