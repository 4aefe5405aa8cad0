"""The package's loggers, and how the command line shows them."""

import logging

import pytest
import typer
from structlog.contextvars import get_contextvars
from typer.testing import CliRunner

from rollcall.cli import app, show_log
from rollcall.log import at_work_on, get_logger

log = get_logger("rollcall.a_stage")


def test_each_line_of_a_deliverys_work_names_it(caplog: pytest.LogCaptureFixture) -> None:
    log.info("%s.csv: accept", "orgs")
    with at_work_on(7):
        with at_work_on(8):
            log.info("%s", "100% sure")
        log.info("the older one again")
        assert get_contextvars()["delivery_id"] == 7, "Airflow writes it to every line, whoever logs it"
    log.info("none")
    assert caplog.messages == ["orgs.csv: accept", "Delivery 8: 100% sure", "Delivery 7: the older one again", "none"]


@pytest.mark.parametrize(("command", "shown"), [("work", ["Delivery 7: begun", "a warning"]), ("check", ["a warning"])])
def test_the_command_line_shows_progress_beside_its_answer(command: str, shown: list[str]) -> None:
    before = logging.getLogger("rollcall").handlers
    cli = typer.Typer(callback=show_log)

    @cli.command()
    def work() -> None:
        with at_work_on(7):
            log.info("begun")
        log.warning("a\nwarning")
        typer.echo("{}")

    cli.command("check")(work)
    told = CliRunner().invoke(cli, [command])
    assert (told.stdout, told.stderr.splitlines()) == ("{}\n", shown)
    assert logging.getLogger("rollcall").handlers == before
    assert logging.getLogger("rollcall").propagate


def test_the_helps_first_sentence_is_the_programs() -> None:
    assert "Nightly school rosters: receive, check, publish." in CliRunner().invoke(app, ["--help"]).stdout
