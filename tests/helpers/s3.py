"""A real S3 server, and the line to it, which can be cut, slow or silent."""

import json
import logging
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "rollcall"
KEYS = {"aws_access_key_id": "tester", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
CONNECTION = "archive_store"


class Line(socketserver.ThreadingTCPServer):
    """Passes on what is said between S3's client and its server, until told otherwise.

    Args:
        server_port: Where the server listens, on this machine.

    Attributes:
        cut_after: After how many more bytes to the server every connection is cut, and none made; None: never.
        silent: Whether nothing is passed on for now.
        seconds_per_block: How long each block that is passed on takes.
        sent: How many bytes went to the server.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, server_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.server_port = server_port
        self.heal()

    def heal(self) -> None:
        """Pass everything on, from now on."""
        self.cut_after: int | None = None
        self.silent = False
        self.seconds_per_block = 0.0
        self.sent = 0

    @property
    def is_cut(self) -> bool:
        return self.cut_after is not None and self.sent >= self.cut_after

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(socketserver.BaseRequestHandler):
    """One connection."""

    server: Line

    def handle(self) -> None:
        if self.server.is_cut:
            return
        server = socket.create_connection(("127.0.0.1", self.server.server_port))
        with closing(server), selectors.DefaultSelector() as ready:
            ready.register(self.request, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, self.request)
            while all(self._pass_on(key.fileobj, key.data) for key, _ in ready.select()):
                pass

    def _pass_on(self, source: Any, target: Any) -> bool:
        """Pass one block on; False when the connection is over."""
        block = source.recv(1 << 16)
        time.sleep(self.server.seconds_per_block)
        while self.server.silent:
            time.sleep(0.05)
        if target is not self.request:
            self.server.sent += len(block)
        if self.server.is_cut or not block:
            return False
        target.sendall(block)
        return True


class S3:
    """The server as a test sees it, past the line.

    Args:
        server_port: Where it listens.
        line: The line to it.
        read_timeout_seconds: After how long a silent server is given up.
    """

    def __init__(self, server_port: int, line: Line, read_timeout_seconds: float) -> None:
        self.line, self._read_timeout = line, read_timeout_seconds
        self._client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server_port}", **KEYS)
        self._client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, content: bytes) -> None:
        """Have an object there, as another process would write it."""
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def objects(self) -> dict[str, bytes]:
        """Every object, by its key."""
        listed = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {item["Key"]: self._client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in listed}

    def unfinished(self) -> list[Any]:
        """Uploads that were begun, and neither finished nor given up."""
        return list(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    def empty(self) -> None:
        """Remove every object and every unfinished upload."""
        for key in self.objects():
            self._client.delete_object(Bucket=BUCKET, Key=key)
        for upload in self.unfinished():
            self._client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])

    @property
    def connection(self) -> str:
        """Airflow's connection to it, by the line; its client gives up soon."""
        hasty = {
            "connect_timeout": self._read_timeout,
            "read_timeout": self._read_timeout,
            "retries": {"max_attempts": 0},
        }
        return json.dumps(
            {
                "conn_type": "aws",
                "login": KEYS["aws_access_key_id"],
                "password": KEYS["aws_secret_access_key"],
                "extra": {"region_name": KEYS["region_name"], "endpoint_url": self.line.url, "config_kwargs": hasty},
            }
        )


@contextmanager
def s3_server(connection_id: str = CONNECTION, *, read_timeout_seconds: float = 1) -> Iterator[S3]:
    """A listening server with an empty bucket, and Airflow's connection to it in the environment; as `S3`.

    Args:
        connection_id: Its connection. Airflow keeps a client per connection as long as its process lives: one more
            server in a session needs another name.
        read_timeout_seconds: After how long its clients give a silent server up.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        port = server.get_host_and_port()[1]
        with Line(port) as line, pytest.MonkeyPatch.context() as patch:
            threading.Thread(target=line.serve_forever, daemon=True).start()
            store = S3(port, line, read_timeout_seconds)
            store.empty()  # moto's servers of one process hold the same objects
            patch.setenv(f"AIRFLOW_CONN_{connection_id.upper()}", store.connection)
            yield store
            line.shutdown()
    finally:
        server.stop()
