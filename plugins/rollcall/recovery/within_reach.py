"""PostgreSQL's programs come with a wheel that knows no TLS: a server that is asked by TLS they reach through us."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from tempfile import TemporaryDirectory

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from rollcall.log import get_logger

log = get_logger(__name__)

BY_TLS = ("require", "verify-ca", "verify-full")
_TLS_PLEASE = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's SSLRequest; the server answers with one letter, and S is yes."""
_FIRST = struct.Struct("!cii")
"""A message's letter, its size without that letter, and a number."""
_BLOCK_BYTES = 64 * 1024


def server_of(url: str) -> dict[str, str]:
    """How libpq would reach a database: what its URL says, and for the rest libpq's own variables; nothing blank."""
    own = {each.keyword.decode(): (each.val or b"").decode() for each in pq.Conninfo.get_defaults()}
    told = own | {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {name: value for name, value in told.items() if value}


@asynccontextmanager
async def within_reach(server: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """A server as a program reaches it that knows no TLS: as it is, or through a socket of ours that does it for it.

    Args:
        server: As `server_of` tells.
    """
    if server.get("sslmode") not in BY_TLS or server.get("host", "/").startswith("/"):
        yield dict(server)
        return
    with TemporaryDirectory(prefix="rollcall-tls-") as folder:
        address = f"{folder}/.s.PGSQL.{server['port']}"
        async with await asyncio.start_unix_server(partial(_pass_on, server), address):
            yield {name: value for name, value in server.items() if "ssl" not in name} | {"host": folder}


async def _pass_on(server: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on a program's connection to the server, by TLS."""
    try:
        connection = await asyncio.to_thread(_asked_for_tls, server)
        answers, asking = await asyncio.open_connection(
            sock=connection, ssl=_context(server), server_hostname=server["host"]
        )
        await asyncio.gather(_copy(reader, asking), _answer(answers, writer))
    except (OSError, EOFError) as error:
        log.warning("PostgreSQL cannot be reached by TLS: %s", error)
    finally:
        writer.close()


def _asked_for_tls(server: Mapping[str, str]) -> socket.socket:
    """A connection on which the server expects TLS next.

    Raises:
        ConnectionError: it knows none.
    """
    connection = socket.create_connection((server.get("hostaddr") or server["host"], int(server["port"])))
    connection.sendall(_TLS_PLEASE)
    if connection.recv(1) != b"S":
        connection.close()
        raise ConnectionError("The server knows no TLS.")
    connection.setblocking(False)
    return connection


def _context(server: Mapping[str, str]) -> ssl.SSLContext:
    """What is checked of the server, as libpq's `sslmode` says it."""
    mode, root = server["sslmode"], server.get("sslrootcert")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    if root:
        context.load_verify_locations(root)
    elif mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the server's answers; of the first, the ways to log in, without the one that needs TLS at both ends."""
    kind, size, code = _FIRST.unpack(await reader.readexactly(_FIRST.size))
    ways = (await reader.readexactly(size - _FIRST.size + 1)).replace(b"SCRAM-SHA-256-PLUS\0", b"")
    writer.write(_FIRST.pack(kind, len(ways) + _FIRST.size - 1, code) + ways)
    await _copy(reader, writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side has ended, then end the other."""
    try:
        while block := await reader.read(_BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    finally:
        writer.close()
