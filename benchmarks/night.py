"""One night of one district, stage by stage: the tasks of the DAGs of the district and conform, in their order."""

import asyncio
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.copying import bare_copy
from benchmarks.memory import Peaks
from benchmarks.processes import Ran, Task, run
from benchmarks.stack import BenchStack
from rollcall.districts import District
from rollcall.sftp import READ_BLOCK_BYTES, READS_IN_FLIGHT, SftpAccount

TASKS_SIDE_BY_SIDE = 6
"""How many tasks the local stack's Airflow runs at a time (AIRFLOW__CORE__PARALLELISM)."""

INCLUDES = {
    "transfer": "the files read once over SFTP, as the task receive reads them, and dropped",
    "archive": "the rest of the task receive: the second read that shows that nobody was writing, the hashes, writing"
    " into the archive, the ledger, emptying the inbox",
    "land": "the first half of check, each file by itself, side by side: reading the archive, COPY into its schema",
    "gate": "the second half of check, each file by itself, side by side, and what decide begins with: the references",
    "decide": "the rest of decide: forecast, safeguards, verdict, acceptance",
    "conform": "the task build of the DAG conform but for publish: dbt's staging, history and audits",
    "publish": "moving the pointer",
}
"""What each stage holds. Where a stage is several tasks in turn, each is a process of its own, started and ended."""


@dataclass
class Night:
    """What a night took.

    Attributes:
        state: What became of the delivery.
        seconds: By stage.
        cpu_seconds: Processor time of all stages; ``transfer`` is part of ``receive`` and not counted again.
        peaks: By stage, the most memory of each process.
        details: Parts of stages, by name.
    """

    state: str = ""
    cpu_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, Peaks] = field(default_factory=dict)
    details: dict[str, float] = field(default_factory=dict)


class Player:
    """Plays the nights of one district.

    Args:
        stack: What they are played on.
        district: Whose.
        say: Told of each stage as it ends.
    """

    def __init__(self, stack: BenchStack, district: District, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._district = district
        self._watch = stack.watch()
        self._say = say

    def copy(self, files: Sequence[Path]) -> tuple[float, float]:
        """The yardstick, in a process of its own; its seconds, and its processor time."""
        ran = run([Task("copy", partial(bare_copy, self._stack.url, files))], self._watch)
        self._say(f"COPY {ran.results['copy']:.2f} s, {ran.cpu_seconds:.2f} s of processor time")
        return float(ran.results["copy"]), ran.cpu_seconds

    def play(self, files: Sequence[Path], service_date: date) -> Night:
        """A night from files on the SFTP server to the published marts, or to where it ends."""
        night = Night()
        self._stack.send(self._district.district_id, files)
        delivery_id, names = self._receive(night, service_date)
        if names:
            self._judge(night, delivery_id, names)
            self._conform(night)
        night.state = self._state(delivery_id)
        return night

    def _receive(self, night: Night, service_date: date) -> tuple[int, list[str]]:
        account = self._stack.account(self._district.district_id)
        transfer = self._run(night, "transfer", Task("transfer", partial(read_inbox, account)))
        received = self._run(night, "archive", Task("receive", partial(receive, self._district, account, service_date)))
        night.cpu_seconds -= transfer.cpu_seconds
        night.seconds["archive"] = max(received.seconds - transfer.seconds, 0.0)
        delivery_id, names = received.results["receive"]
        return delivery_id, names

    def _judge(self, night: Night, delivery_id: int, names: Sequence[str]) -> None:
        district = self._district
        lands = [Task(f"land {name}", partial(land, delivery_id, name)) for name in names]
        gates = [Task(f"gate {name}", partial(gate, district, delivery_id, name)) for name in names]
        self._run(night, "land", *lands)
        self._run(night, "gate", *gates)
        self._run(night, "gate", Task("gate_delivery", partial(gate_delivery, district, delivery_id)))
        self._run(night, "decide", Task("decide", partial(decide, district, delivery_id)))
        self._run(night, "decide", Task("accept", partial(accept, delivery_id)))

    def _conform(self, night: Night) -> None:
        ran = self._run(night, "conform", Task("build", conform))
        publish_seconds, nodes = ran.results["build"]
        night.seconds["publish"] = publish_seconds
        night.seconds["conform"] -= publish_seconds
        night.details |= {f"dbt {name}": seconds for name, seconds in nodes}

    def _run(self, night: Night, stage: str, *tasks: Task) -> Ran:
        ran = run(tasks, self._watch, TASKS_SIDE_BY_SIDE)
        night.cpu_seconds += ran.cpu_seconds
        night.seconds[stage] = night.seconds.get(stage, 0.0) + ran.seconds
        peaks = night.peaks.setdefault(stage, {})
        for name, megabytes in ran.peaks.items():
            peaks[name] = max(peaks.get(name, 0.0), megabytes)
        title = stage if len(tasks) > 1 else tasks[0].name
        night.details[title] = ran.seconds
        self._say(f"{title} {ran.seconds:.2f} s, {ran.cpu_seconds:.2f} s of processor time")
        return ran

    def _state(self, delivery_id: int) -> str:
        rows = self._stack.query("select state from rollcall.delivery where delivery_id = %s", delivery_id)
        return str(rows[0][0])


def read_inbox(account: SftpAccount) -> int:
    """Read every file of the inbox over SFTP, as the task ``receive`` does, and drop it; the bytes."""

    async def read_all() -> int:
        count = 0
        async with account.connect() as session:
            for name in await session.listdir("."):
                if not name.endswith(".csv"):
                    continue
                source = await session.open(name, "rb", block_size=READ_BLOCK_BYTES, max_requests=READS_IN_FLIGHT)
                async with source:
                    while block := await source.read(READ_BLOCK_BYTES * READS_IN_FLIGHT):
                        count += len(block)
        return count

    return asyncio.run(read_all())


def receive(district: District, account: SftpAccount, service_date: date) -> tuple[int, list[str]]:
    """The task ``receive``: the delivery and the files to be landed."""
    from rollcall.steps import receive as receive_delivery

    receipt = receive_delivery(district, account, service_date=service_date, run_id=f"bench__{service_date}")
    return receipt.delivery.delivery_id, list(receipt.files)


def land(delivery_id: int, name: str) -> int:
    """The first half of the task ``check``, for one file."""
    from rollcall.landing import land_files

    return land_files(delivery_id, [name])[name]


def gate(district: District, delivery_id: int, name: str) -> str:
    """The second half of the task ``check``, for one file."""
    from rollcall.gate import gate_files

    (outcome,) = gate_files(delivery_id, [name], district.limits)
    return outcome.verdict


def gate_delivery(district: District, delivery_id: int) -> str:
    """What the task ``decide`` begins with."""
    from rollcall.gate import gate_delivery as check_delivery
    from rollcall.steps import check_what_is_gone

    check_what_is_gone(delivery_id, district.limits)
    return check_delivery(delivery_id, district.limits).verdict


def decide(district: District, delivery_id: int) -> str:
    """The task ``decide``, without its first part and its last.

    Raises:
        ValueError: the delivery is not accepted: then there is nothing to measure.
    """
    from rollcall.decision.decide import decide as decide_on
    from rollcall.steps import check_what_is_gone

    check_what_is_gone(delivery_id, district.limits)
    decision = decide_on(district, delivery_id)
    if decision.verdict != "accept":
        raise ValueError(f"The delivery is not accepted: {decision.sentences}")
    return decision.verdict


def accept(delivery_id: int) -> int | None:
    """What the task ``decide`` ends with."""
    from rollcall.decision.acceptance import accept as accept_delivery

    return accept_delivery(delivery_id).sequence


def conform() -> tuple[float, list[tuple[str, float]]]:
    """The task ``build`` of the DAG ``conform``: the seconds of publishing, and of each dbt model and audit."""
    from rollcall.conform import conform as build
    from rollcall.steps import check_again

    loop: Any = importlib.import_module("rollcall.conform.loop")
    seconds, move_pointer = 0.0, loop.publish

    def timed(*arguments: Any) -> Any:
        nonlocal seconds
        begun = time.perf_counter()
        try:
            return move_pointer(*arguments)
        finally:
            seconds += time.perf_counter() - begun

    loop.publish = timed  # this process is ours alone
    outcomes = build(reland=check_again)
    failed = {district: reason for outcome in outcomes for district, reason in outcome.failed.items()}
    if failed:
        raise ValueError(f"Not published: {failed}")
    return seconds, [(node.name, node.seconds) for outcome in outcomes for node in outcome.nodes]
