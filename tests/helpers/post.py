"""A mail server and a chat, for tests to read what arrived there."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from typing_extensions import override

from rollcall.settings import working_on
from rollcall.stack.processes import free_port


class Post(MessageHandler):
    """What arrived, of e-mails and of what was posted to the chat."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.posted: list[dict[str, str]] = []

    @override
    def handle_message(self, message: Any) -> None:
        read = message_from_bytes(message.as_bytes(), policy=policy.default)
        assert isinstance(read, EmailMessage)
        self.mails.append((message["X-RcptTo"].split(", "), read))

    def texts(self) -> str:
        """Every word of every e-mail, attachments included."""
        parts = (part for _, mail in self.mails for part in mail.walk() if not part.is_multipart())
        subjects = [str(mail["subject"]) for _, mail in self.mails]
        return "\n".join([*subjects, *(str(part.get_content()) for part in parts)])


@contextmanager
def mail_server(arrived: Post) -> Iterator[str]:
    """A running mail server; yields the connection that leads to it, as Airflow's environment has it."""
    server = Controller(arrived, hostname="127.0.0.1", port=free_port(0))
    server.start()
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "rollcall@example.org"}
    yield json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": server.port, "extra": extra})
    server.stop()


@contextmanager
def chat_server(arrived: Post) -> Iterator[str]:
    """A running chat; yields its Apprise URL."""

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    chat = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=chat.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{chat.server_address[1]}"
    chat.shutdown()


@contextmanager
def operators_post(monkeypatch: pytest.MonkeyPatch, airflow_home: Path) -> Iterator[Post]:
    """A mail server and a chat, both of them the operators'."""
    arrived = Post()
    with mail_server(arrived) as connection, chat_server(arrived) as url:
        monkeypatch.setenv("AIRFLOW_HOME", str(airflow_home))
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection)
        with working_on(operators_email="ops@example.org, night@example.org", operators_urls=url):
            yield arrived
