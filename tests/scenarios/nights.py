"""Plays nights on the real parts without Airflow: the steps of dags/district_roster.py, in its order.

One `World` is a running PostgreSQL and SFTP server with an archive; a `Run` is one run of a district's DAG in it.
"""

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helpers.deliveries import execute, query

from rollcall.archive.inbox import IncompleteInboxError
from rollcall.conform.history import HISTORY_TABLES
from rollcall.districts import District, load_district
from rollcall.oneroster import LANDED_FILE_NAMES
from rollcall.sftp import SftpAccount
from rollcall.stack import StackState, sync_districts
from rollcall.states import DeliveryState
from rollcall.warehouse import connect
from simulator.night import Delivery, write_night
from simulator.package import write_csv
from simulator.profile import Profile, Rates
from simulator.upload import Account, upload

if TYPE_CHECKING:
    from rollcall.decision.settle import Ruling

FIRST_NIGHT = date(2024, 11, 18)
"""Long ago: no night of a scenario, nor of the school year after, may be one that has not come."""
LIVELY = Rates(joiners=0.06, leavers=0.05, school_movers=0.03, class_changes=0.06, renames=0.03, new_sections=0.02)
"""So much change that a small district sees every kind of it in a night, and yet none that is out of the ordinary."""

MARTS = (
    "roster.dim_school", "roster.dim_organization", "roster.dim_guardian", "roster.fct_student_agent",
    "roster.dim_term", "roster.dim_course", "roster.dim_class", "roster.dim_student",
    "roster.dim_staff", "roster.fct_enrollment", "roster.fct_teaching", "roster.fct_school_membership",
    "roster.agg_school_daily", "roster.roster", "roster_restricted.dim_student_demographics",
    "roster_restricted.rpt_assessment_roster", "roster_restricted.fct_extension_value",
)  # fmt: skip
EVERY_NIGHT = "roster.agg_school_daily"
"""The one of these marts that shows all nights."""
OF_SEVERAL_NIGHTS = frozenset(
    {
        "roster.dim_district", "roster.fct_school_move", "roster.fct_membership_spell", "roster.fct_roster_change",
        "roster.fct_class_change", "roster.agg_grade_daily", "roster.qc_district", "roster.qc_finding",
        "roster_restricted.agg_subgroup_daily",
    }
)  # fmt: skip
"""Marts about publications, not of one: test_back_in_time.py, test_marts.py and test_querying.py look at them."""

Record = dict[str, str]


@dataclass(frozen=True)
class World:
    """The running parts.

    Attributes:
        work: A folder for the districts' files.
    """

    state: StackState
    work: Path

    @property
    def url(self) -> str:
        """The warehouse, as its owner."""
        return self.state.warehouse_url

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return query(self.url, statement, *parameters)

    def execute(self, statement: str, *parameters: Any) -> None:
        execute(self.url, statement, *parameters)

    def settle_in(self, *district_ids: str, **keys: object) -> None:
        """Give districts a file and an SFTP account; their first delivery is accepted unless ``keys`` say else."""
        for district_id in district_ids:
            lines = {"name": f"District {district_id}", "first_delivery": "accept", **keys}
            path = self.state.districts_dir / f"{district_id}.yaml"
            path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items()))
        sync_districts(self.state.state_dir)

    def district(self, district_id: str) -> District:
        return load_district(self.state.districts_dir / f"{district_id}.yaml")

    def account(self, district_id: str) -> SftpAccount:
        """Rollcall's own login, as the Airflow connection has it."""
        state = StackState.load(self.state.state_dir)
        assert state is not None
        login = state.service_accounts[district_id]
        return SftpAccount(state.sftp_host, state.sftp_port, login.username, login.password, state.sftp_host_key)

    def send(self, district_id: str, files: Iterable[Path], **how: Any) -> None:
        """Upload as the district's own system does."""
        state = StackState.load(self.state.state_dir)
        assert state is not None
        login = state.accounts[district_id]
        upload(
            Account(state.sftp_host, state.sftp_port, login.username, login.password, state.sftp_host_key),
            list(files),
            **how,
        )

    def inbox(self, district_id: str) -> Path:
        """The inbox as it lies on the server's disk."""
        return self.state.sftp_root / district_id / "inbox"

    def waiting(self, district_id: str) -> list[str]:
        """The files in the inbox, by name."""
        return sorted(path.name for path in self.inbox(district_id).iterdir() if path.is_file())

    def receipts(self, district_id: str) -> list[Path]:
        return sorted((self.state.sftp_root / district_id / "receipts").iterdir())

    def conform(self) -> list[Any]:
        """The DAG ``conform``; what it returns."""
        from rollcall.conform import conform
        from rollcall.steps import check_again

        built = conform(reland=check_again)
        assert self.query(WRONGLY_FORECAST) == [], "a forecast and what conform then did"
        return built

    def play(self, district_id: str, files: Iterable[Path], night: int = 1, name: str = "run") -> "Run":
        """A whole night: uploaded, judged, built if it was accepted, reported."""
        self.send(district_id, files)
        run = Run(self, district_id, night, name=name)
        run.judge()
        if run.delivery_state == "accepted":
            self.conform()
        run.report()
        return run

    def published(self, district_id: str) -> dict[str, int]:
        """How many rows of the district each mart shows of the night that is published."""
        return {mart: len(rows) for mart, rows in self.shown(district_id).items() if mart != EVERY_NIGHT}

    def shown(self, district_id: str) -> dict[str, list[tuple[str]]]:
        """Everything that readers see of a district, but for its id."""
        return {
            mart: self.query(
                f"select (to_jsonb(m) - 'district_id')::text from {mart} as m where district_id = %s order by 1",
                district_id,
            )
            for mart in MARTS
        }

    def history(self, district_id: str) -> dict[str, list[tuple[str]]]:
        """Every version of a district's records, but for its id."""
        return {
            table: self.query(
                f"select (to_jsonb(t) - 'district_id')::text from {table} as t where district_id = %s order by 1",
                district_id,
            )
            for table in HISTORY_TABLES
        }

    def meaning(self, district_id: str) -> dict[str, list[tuple[Any, ...]]]:
        """What the ledger says of a district, without the numbers and times that are different each time."""
        return {name: self.query(statement, district_id) for name, statement in MEANING.items()}

    def publication(self, district_id: str) -> tuple[int, date] | None:
        """The published sequence and the night that it stands for."""
        rows = self.query(
            "select sequence, effective_date from rollcall.publication where district_id = %s", district_id
        )
        return (rows[0][0], rows[0][1]) if rows else None


# What was forecast otherwise than it came, of deliveries that were judged against what they were then built on. What a
# school year keys is left out where the published years change: the forecast knows ids only.
WRONGLY_FORECAST = """
    select delivery.district_id, delivery.service_date, expected.file,
        (expected.added, expected.changed, expected.removed)::text as forecast,
        (done.added, done.changed, done.removed)::text as done
    from rollcall.expected_change as expected
    inner join rollcall.change_count as done
        on expected.delivery_id = done.delivery_id and expected.file = done.entity
    inner join rollcall.delivery on expected.delivery_id = delivery.delivery_id
    where expected.school_source_id is null and delivery.published_at is not null
        and (expected.added, expected.changed, expected.removed) <> (done.added, done.changed, done.removed)
        and coalesce(expected.against_sequence, 0) = coalesce((
            select max(event.sequence) from rollcall.publication_event as event
            where event.district_id = delivery.district_id and event.sequence < delivery.accepted_sequence
        ), 0)
        and not (expected.file in ('academicSessions', 'classes', 'enrollments') and 1 < (
            select count(distinct session.school_year) from history.hist_academic_sessions as session
            where session.district_id = delivery.district_id
                and session.valid_from_seq <= delivery.accepted_sequence
                and coalesce(session.valid_to_seq >= delivery.accepted_sequence, true)
        ))
"""

OF_DISTRICT = "join rollcall.delivery as d using (delivery_id) where d.district_id = %s order by 1, 2, 3, 4, 5"
MEANING = {
    "deliveries": "select service_date, state, regexp_replace(state_reason, 'elivery \\d+', 'elivery N'), content_hash,"
    " packaging, accepted_sequence, same_as_delivery_id is null, published_at is null from rollcall.delivery"
    " where district_id = %s order by delivery_id",
    "files": "select d.service_date, file, sent_name, replace(archive_path, d.district_id, ''), sha256, size_bytes,"
    " mode, encoding, rows_landed, rows_ragged, rows_set_aside, verdict, verdict_reason, absence_is_evidence"
    f" from rollcall.delivery_file {OF_DISTRICT}",
    "checks": "select d.service_date, file, code, severity, rows_checked, rows_failed from rollcall.check_result "
    + OF_DISTRICT,
    "findings": "select d.service_date, file, code, row_number, sourced_id, column_name, severity"
    f" from rollcall.row_finding {OF_DISTRICT}",
    "holds": "select d.service_date, reasons::text, settlement, settled_by, settled_why, settled_via"
    f" from rollcall.hold {OF_DISTRICT}",
    "forecasts": "select d.service_date, file, school_source_id, against_sequence, published, added, changed, removed,"
    f" expected_change.set_aside, rekeyed from rollcall.expected_change {OF_DISTRICT}",
    "changes": "select d.service_date, entity, added, changed, removed, kept from rollcall.change_count " + OF_DISTRICT,
    "nights": "select service_date, outcome, regexp_replace(message, 'elivery \\d+', 'elivery N'), missing_files"
    " from rollcall.night where district_id = %s order by 1",
    "publication": "select sequence, effective_date from rollcall.publication where district_id = %s",
    "moves": "select sequence, effective_date from rollcall.publication_event where district_id = %s order by 1, 2",
}

Step = Literal["receive", "check", "decide"]
STEPS: tuple[Step, ...] = ("receive", "check", "decide")


@dataclass
class Run:
    """One run of a district's DAG.

    Attributes:
        night: Which night it serves, counted from 1.
        failed: The tasks that failed, with their messages: those whose work says so, not by accident.
        left_to_another_run: Why ``receive`` was skipped, and all behind it.
    """

    world: World
    district_id: str
    night: int = 1
    source: str = "inbox"
    name: str = "run"
    failed: dict[str, str] = field(default_factory=dict)
    left_to_another_run: str = ""

    @property
    def service_date(self) -> date:
        return FIRST_NIGHT + timedelta(days=self.night - 1)

    @property
    def run_id(self) -> str:
        return f"{self.name}__{self.service_date}"

    @property
    def district(self) -> District:
        return self.world.district(self.district_id)

    def judge(self, steps: Sequence[Step] = STEPS) -> None:
        """Every task up to ``decide``; a failed or skipped one ends the run, as in the DAG."""
        for step in steps:
            if not self.failed and not self.left_to_another_run:
                self.step(step)

    def step(self, name: str) -> None:
        """One task, with the looks into the ledger that the DAG's function has before it."""
        has_files = name not in ("check", "decide") or bool(self.files)
        if has_files and (name != "check" or DeliveryState(self.delivery_state).is_in_work):
            getattr(self, name)()

    def receive(self) -> None:
        from rollcall.archive.receive import NightServedError
        from rollcall.nights import ImpossibleNightError
        from rollcall.sftp import SftpRefusedError
        from rollcall.steps import receive

        try:
            receipt = receive(
                self.district,
                self.world.account(self.district_id),
                service_date=self.service_date,
                run_id=self.run_id,
                source=self.source,
            )
        except NightServedError as error:
            self.left_to_another_run = str(error)
            return
        except (ImpossibleNightError, IncompleteInboxError, SftpRefusedError) as error:
            self.failed["receive"] = str(error)
            return
        if receipt.delivery.state == "rejected" and not receipt.files:
            self.failed["receive"] = receipt.delivery.state_reason or ""

    def check(self) -> None:
        from rollcall.steps import check

        check(self.district, self.delivery_id, self.files)

    def decide(self) -> None:
        from rollcall.steps import check_together, judge

        check_together(self.district, self.delivery_id)
        judgement = judge(self.district, self.delivery_id)
        if judgement.verdict == "rejected":
            self.failed["decide"] = judgement.why

    def accept(self) -> None:
        """What `hold` does once it is answered."""
        from rollcall.decision.acceptance import accept

        accept(self.delivery_id)

    def settle(self, settlement: Literal["approved", "discarded"], by: str = "ops", why: str = "seen") -> "Ruling":
        """A person decides on the held delivery, and the run, if there is one still, goes on."""
        from rollcall.decision.holds import Answer
        from rollcall.decision.settle import settle

        with connect() as connection:
            ruling = settle(connection, self.delivery_id, Answer(settlement, by, why, "cli"))
        self.accept()
        return ruling

    def report(self) -> str:
        from rollcall.report.report import report

        return report(
            self.district,
            self.service_date,
            self.run_id,
            self.world.account(self.district_id),
            failed_tasks=tuple(sorted(self.failed)),
        )

    @property
    def files(self) -> list[str]:
        """The rostering files that the run received, in the standard's order."""
        rows = self.world.query(
            "select file from rollcall.delivery_file join rollcall.delivery using (delivery_id)"
            " where district_id = %s and run_id = %s",
            self.district_id,
            self.run_id,
        )
        return [name for name in LANDED_FILE_NAMES if (name,) in rows]

    @property
    def delivery_id(self) -> int:
        return int(self._of_delivery("delivery_id"))

    @property
    def delivery_state(self) -> str:
        return str(self._of_delivery("state"))

    @property
    def reason(self) -> str:
        return str(self._of_delivery("state_reason") or "")

    @property
    def outcome(self) -> str:
        """How the ledger says that the night ended."""
        rows = self.world.query(
            "select outcome from rollcall.night where district_id = %s and service_date = %s",
            self.district_id,
            self.service_date,
        )
        return str(rows[0][0]) if rows else "no night"

    def changes(self) -> dict[str, dict[str, int]]:
        """Per kind of change and file, how many records changed."""
        rows = self.world.query(
            "select entity, added, changed, removed from rollcall.change_count where delivery_id = %s",
            self.delivery_id,
        )
        kinds = ("added", "changed", "removed")
        return {kind: {row[0]: row[number] for row in rows} for number, kind in enumerate(kinds, start=1)}

    def _of_delivery(self, column: str) -> Any:
        rows = self.world.query(
            f"select {column} from rollcall.delivery where district_id = %s and run_id = %s",
            self.district_id,
            self.run_id,
        )
        return rows[0][0] if rows else ""


def small_district(district_id: str, **traits: Any) -> Profile:
    """A district of some dozens of students in which much happens each night; same traits, same content."""
    traits = {"students": 60, "seed": 5, "first_night": FIRST_NIGHT, "rates": LIVELY, **traits}
    return Profile(district_id, "Small Unified", **traits)


def write(profile: Profile, night: int, folder: Path, *spoil: Callable[[Path], object]) -> Delivery:
    """A night's files in an empty folder, spoiled in some ways."""
    shutil.rmtree(folder, ignore_errors=True)
    delivery = write_night(profile, night, folder)
    for how in spoil:
        how(folder)
    files = tuple(sorted(folder.iterdir()))
    return Delivery(folder, files, delivery.expected, delivery.service_date)


def records(folder: Path, file: str) -> list[Record]:
    """The records of one of a delivery's files."""
    with (folder / f"{file}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def rewrite(folder: Path, file: str, change: Callable[[Record], Record | None]) -> None:
    """Write a file anew, record by record, without those for which ``change`` returns nothing."""
    before = records(folder, file)
    header = tuple(before[0])
    after = [changed for changed in map(change, before) if changed is not None]
    write_csv(folder / f"{file}.csv", header, (tuple(record[name] for name in header) for record in after))
