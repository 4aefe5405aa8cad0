"""PostgreSQL's programs, which know no TLS, at work on a server that is asked by TLS."""

import asyncio
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rollcall.recovery.dumps import dump
from rollcall.recovery.manifest import BackupError
from rollcall.recovery.within_reach import server_of
from rollcall.settings import PROJECT_ROOT

HOST = "127.0.0.1"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of the names `postgres` and `localhost`, its key beside it."""
    program = str(PROJECT_ROOT / "docker" / "make_secrets.py")
    options = ["--folder", str(tmp_path / "secrets"), "--database-name", "localhost"]
    subprocess.run([sys.executable, program, *options], stdout=subprocess.DEVNULL, check=True)
    return tmp_path / "secrets" / "postgres_certificate"


@pytest.fixture
def port(warehouse_url: str, certificate: Path) -> Iterator[int]:
    """Where the warehouse answers by TLS; it is undone before PostgreSQL itself, whose wheel knows none either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("postgres_key"))
    server = server_of(warehouse_url)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        try:
            await writer.start_tls(context)
            inner, to_inner = await asyncio.open_unix_connection(f"{server['host']}/.s.PGSQL.{server['port']}")
            await asyncio.gather(copy(reader, to_inner), copy(inner, writer))
        except OSError:
            writer.close()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(pass_on, HOST, 0), loop).result()
    yield listening.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(listening.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def url(warehouse_url: str, port: int, host: str, root: Path) -> str:
    """The warehouse's, by TLS."""
    told = conninfo_to_dict(warehouse_url) | {"host": host, "hostaddr": HOST, "port": port}
    return make_conninfo("", **told, sslmode="verify-full", sslrootcert=str(root))


def test_a_dump_is_written_by_tls_from_the_server_that_has_the_certificate_only(
    warehouse_url: str, port: int, certificate: Path, tmp_path: Path
) -> None:
    dump(url(warehouse_url, port, "localhost", certificate), tmp_path / "by_tls")
    assert (tmp_path / "by_tls").read_bytes().startswith(b"PGDMP")
    with pytest.raises(BackupError, match="pg_dump failed"):
        dump(url(warehouse_url, port, "warehouse", certificate), tmp_path / "of_another")
    stranger = tmp_path / "stranger"
    program = str(PROJECT_ROOT / "docker" / "make_secrets.py")
    subprocess.run([sys.executable, program, "--folder", str(stranger)], stdout=subprocess.DEVNULL, check=True)
    with pytest.raises(BackupError, match="pg_dump failed"):
        dump(url(warehouse_url, port, "postgres", stranger / "postgres_certificate"), tmp_path / "by_a_stranger")


def test_libpqs_own_variables_count_where_the_url_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", "/run/secrets/postgres_certificate")
    server = server_of("postgresql://rollcall@postgres/warehouse")
    assert (server["sslmode"], server["sslrootcert"], server["port"]) == (
        "verify-full",
        "/run/secrets/postgres_certificate",
        "5432",
    )
    assert server_of("postgresql://rollcall@postgres/warehouse?sslmode=disable")["sslmode"] == "disable"
