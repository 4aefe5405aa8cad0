"""How a message reaches people: by e-mail (connection ``smtp_default``), by chat or pager, by the log."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rollcall.log import get_logger
from rollcall.settings import settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

CONNECTION_ID = "smtp_default"
log = get_logger(__name__)


@dataclass(frozen=True)
class Message:
    """Something that a person should know; holds no personal data.

    Attributes:
        subject: One line.
        lines: The text, a paragraph a line.
        attachments: Files that go with an e-mail: their text, by name.
    """

    subject: str
    lines: tuple[str, ...]
    attachments: Mapping[str, str] = field(default_factory=dict)


def notify(message: Message) -> None:
    """Tell the operators; the log says it in any case. What cannot be sent is reported there and stops nothing."""
    log.warning("%s: %s", message.subject, " ".join(message.lines))
    recipients = [address.strip() for address in settings().operators_email.split(",") if address.strip()]
    mail(recipients, Message(f"Rollcall: {message.subject}", message.lines, message.attachments))
    _post(message)


def mail(recipients: Sequence[str], message: Message) -> None:
    """Send an e-mail, if there is somebody to send it to and a mail server; one that fails is logged.

    Args:
        recipients: E-mail addresses; they are in no log.
        message: The message.
    """
    if not recipients or smtp_connection() is None:
        return
    with TemporaryDirectory(prefix="rollcall-mail-") as folder:
        files = [str(_written(Path(folder, name), text)) for name, text in message.attachments.items()]
        try:
            _send(recipients, message, files)
        except Exception as error:  # noqa: BLE001 -- the night goes on; a mail server's words may quote addresses
            log.warning(
                "An e-mail could not be sent (%s); check the connection %s.", type(error).__name__, CONNECTION_ID
            )


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _send(recipients: Sequence[str], message: Message, files: list[str]) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(smtp_conn_id=CONNECTION_ID) as hook:
        hook.send_email_smtp(
            to=list(recipients),
            subject=message.subject,
            html_content="".join(f"<p>{escape(line)}</p>" for line in message.lines),
            files=files,
        )


def _post(message: Message) -> None:
    """Send a message to the operators' chat or pager."""
    urls = settings().operators_urls.get_secret_value().split()
    if not urls:
        return
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log addresses, which hold secrets
    outlets = apprise.Apprise()
    are_known = [outlets.add(url) for url in urls]
    is_sent = outlets.notify(title=f"Rollcall: {message.subject}", body="\n".join(message.lines))
    if not (is_sent and all(are_known)):
        log.warning("A message could not be sent to chat or pager; check ROLLCALL_OPERATORS_URLS.")


def smtp_connection() -> "Connection | None":
    """Airflow's connection to the mail server; None where there is none."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    try:
        found: Connection = Connection.get(CONNECTION_ID)
    except (AirflowNotFoundException, AirflowRuntimeError):
        return None
    return found
