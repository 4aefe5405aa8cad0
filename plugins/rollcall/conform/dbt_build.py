"""dbt, in this process, silent, and told by the environment which warehouse."""

import getpass
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from rollcall.conform.outcomes import BuildImpossibleError, NodeOutcome
from rollcall.conform.redaction import in_short, redact_dbt
from rollcall.progress import Told, watcher
from rollcall.settings import settings, working_on
from rollcall.warehouse import warehouse_url

NIGHTLY = (
    "build",
    "--select", "config.materialized:history", "config.materialized:worked_out_history", "test_type:singular",
    "--indirect-selection", "empty", "--exclude-resource-type", "unit_test", "--cache-selected-only",
)  # fmt: skip
"""The nightly build: no mart, whose views stand, and of the tests only the audits, which are singular ones.

Staging is a part of what reads it. By kind, and without listing the relations of every schema first: for a small
district dbt took longer to look for its models by path, and for views that it does not touch, than to build them.
"""


@dataclass(frozen=True)
class DataTest:
    """One of dbt's tests.

    Attributes:
        name: Its name.
        severity: ``error`` or ``warn``, as its model's file says.
        query: A row per failure, with `district_id`.
    """

    name: str
    severity: str
    query: str


EVERYTHING = ("run", "--exclude", "path:models/semantic")
"""A deploy: every table and view. The semantic layer's calendar is for whoever brings a tool that reads it."""

DOCUMENT = ("docs", "generate", "--static")
"""What there is, as one page: from the catalog and the models' files, never from a row."""

TESTS = (
    "compile",
    "--select", "resource_type:test,path:models/marts", "resource_type:test,path:models/history",
    "--exclude", "path:tests/audits",
)  # fmt: skip
"""The tests of what is published, as queries. Staging has nothing to test by then: audits do, while it is built."""

NO_WAREHOUSE = "postgresql://nobody@localhost/warehouse"
"""What the profile needs to be read; nobody connects to it."""

# dbt's log and result files would hold what PostgreSQL says; outcomes are reported through the ledger instead.
SILENT = ("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-write-json")


def run_dbt(command: Sequence[str], *, lock_timeout: str | None = None) -> list[NodeOutcome]:
    """Run one dbt command on the project.

    Args:
        command: dbt's command and selection.
        lock_timeout: How long its statements wait for a lock, as PostgreSQL takes it; None for ever.

    Returns:
        How each node ended, in that order; failed nodes included.

    Raises:
        BuildImpossibleError: dbt did not get as far as running nodes.
    """
    outcome = _invoke(command, lock_timeout=lock_timeout)
    return [_node_outcome(result) for result in outcome.result.results]


def compile_tests() -> list[DataTest]:
    """The data tests of marts and history, as queries that give a row with `district_id` per failure.

    Raises:
        BuildImpossibleError: dbt did not compile them.
    """
    # A place of its own: a build that runs at the same moment parses the project, too.
    target = _target_path().with_name("tests") / "target"
    outcome = _invoke(TESTS, target)
    return [
        DataTest(result.node.name, str(result.node.config.severity).lower(), result.node.compiled_code)
        for result in outcome.result.results
        if str(result.node.resource_type) == "test"
    ]


def compile_query(text: str) -> str:
    """A text in the project's own macros, as the SQL that it stands for.

    Args:
        text: As in a model: ``{{ … }}``.

    Raises:
        BuildImpossibleError: dbt did not compile it.
    """
    outcome = _invoke(["compile", "--inline", text], _target_path().with_name("queries") / "target")
    if not outcome.success:
        raise BuildImpossibleError("dbt could not compile a query: a macro is broken")
    return str(outcome.result.results[0].node.compiled_code)


def write_docs(page: Path) -> None:
    """Write dbt's documentation of the warehouse as one HTML page that needs nothing else.

    Args:
        page: Where to; an older page stays whole until the new one takes its place.

    Raises:
        BuildImpossibleError: dbt failed.
    """
    if not _invoke(DOCUMENT).success:
        raise BuildImpossibleError("dbt could not document the warehouse: a model does not compile")
    page.parent.mkdir(parents=True, exist_ok=True)
    beside = page.with_suffix(".new")
    shutil.copyfile(_target_path() / "static_index.html", beside)
    beside.replace(page)


def read_project() -> dict[str, Any]:
    """The dbt project as dbt understands it: its manifest. Needs no warehouse, and leaves nothing behind.

    Raises:
        BuildImpossibleError: dbt cannot read the project.
    """
    with TemporaryDirectory(prefix="rollcall-manifest-") as work, working_on(warehouse=NO_WAREHOUSE):
        outcome = _invoke(["parse"], Path(work) / "target")
    manifest: dict[str, Any] = outcome.result.writable_manifest().to_dict()
    return manifest


def _invoke(command: Sequence[str], target: Path | None = None, *, lock_timeout: str | None = None) -> Any:
    """What dbt's runner answers.

    Raises:
        BuildImpossibleError: dbt did not get as far as working on nodes.
    """
    from dbt.cli.main import dbtRunner

    redact_dbt(lock_timeout=lock_timeout)
    _name_the_flags_source()
    with _environment(profile_variables(warehouse_url())):
        outcome: Any = dbtRunner(callbacks=[_telling(watcher())]).invoke(
            [*command, *SILENT, *_places(target or _target_path())]
        )
    if outcome.exception is not None:
        raise BuildImpossibleError(f"dbt did not run: {outcome.exception}") from None
    return outcome


def _name_the_flags_source() -> None:
    """Say where the adapter's behavior flags come from, as dbt would find out.

    For each flag it looks at the source text of every frame of the stack: where the stack is deep, as in a test, up
    to a fifth of all processor time.
    """
    from dbt.adapters.postgres.impl import PostgresAdapter
    from dbt_common.behavior_flags import BehaviorFlagRendered

    # mypy is right that a method is replaced: it has no setting.
    BehaviorFlagRendered._default_source = staticmethod(lambda: PostgresAdapter.__module__)  # type: ignore[method-assign]


def _telling(told: Told) -> Callable[[Any], None]:
    """What tells, from dbt's threads, which of how many models it begins to work on."""

    def hear(event: Any) -> None:
        if event.info.name == "LogStartLine":
            told(str(event.data.node_info.node_name), event.data.index - 1, event.data.total)

    return hear


def _places(target: Path) -> list[str]:
    """Where dbt finds the project, and where it may write; the parsed project stays there from night to night."""
    project = settings().dbt_project_dir
    target.parent.mkdir(parents=True, exist_ok=True)
    return [
        "--project-dir", str(project), "--profiles-dir", str(project),
        "--target-path", str(target), "--log-path", str(target.with_name("logs")),
    ]  # fmt: skip


def _target_path() -> Path:
    return settings().state_dir / "dbt" / "target"


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """What profiles.yml and libpq read, for as long as dbt runs."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def profile_variables(url: str) -> dict[str, str]:
    """The variables that profiles.yml and libpq read, from a ``postgresql://`` URL with a host or a socket's folder."""
    parts = conninfo_to_dict(url)
    user = str(parts.get("user") or getpass.getuser())
    return {
        "ROLLCALL_DBT_HOST": str(parts.get("host") or "localhost"),
        "ROLLCALL_DBT_PORT": str(parts.get("port") or 5432),
        "ROLLCALL_DBT_USER": user,
        "ROLLCALL_DBT_DATABASE": str(parts.get("dbname") or user),
        "DBT_ENV_SECRET_ROLLCALL_PASSWORD": str(parts.get("password") or ""),
    } | {f"PG{name.upper()}": str(value) for name, value in parts.items() if name.startswith("ssl")}


def _node_outcome(result: Any) -> NodeOutcome:
    """One of dbt's results, as far as it concerns us."""
    node = NodeOutcome(
        name=result.node.name,
        kind=str(result.node.resource_type),
        status=str(result.status),
        seconds=result.execution_time,
        rows=(result.adapter_response or {}).get("rows_affected"),
        message=in_short(result.message),
    )
    return node if node.failed else NodeOutcome(node.name, node.kind, node.status, node.seconds, node.rows)
