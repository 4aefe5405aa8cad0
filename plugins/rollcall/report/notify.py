"""One way to tell the operators: e-mail where Airflow's connection ``smtp_default`` exists, the log otherwise."""

from dataclasses import dataclass
from html import escape

from rollcall.log import get_logger
from rollcall.settings import settings

CONNECTION_ID = "smtp_default"
log = get_logger(__name__)


@dataclass(frozen=True)
class Message:
    """Something that a person should know; holds no personal data.

    Attributes:
        subject: One line.
        lines: The text, a sentence a line.
    """

    subject: str
    lines: tuple[str, ...]


def notify(message: Message) -> None:
    """Tell the operators; the log says it in any case. A mail server that fails is reported there and stops nothing."""
    log.warning("%s: %s", message.subject, " ".join(message.lines))
    recipients = settings().operators_email
    if not recipients or not _smtp_is_configured():
        return
    import smtplib

    from airflow.providers.smtp.hooks.smtp import SmtpHook

    try:
        with SmtpHook(smtp_conn_id=CONNECTION_ID) as hook:
            hook.send_email_smtp(
                to=recipients,
                subject=f"Rollcall: {message.subject}",
                html_content="".join(f"<p>{escape(line)}</p>" for line in message.lines),
            )
    except (OSError, smtplib.SMTPException) as error:
        log.warning("The e-mail could not be sent (%s); check the connection %s.", type(error).__name__, CONNECTION_ID)


def _smtp_is_configured() -> bool:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    try:
        Connection.get(CONNECTION_ID)
    except (AirflowNotFoundException, AirflowRuntimeError):
        return False
    return True
