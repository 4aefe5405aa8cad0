"""Runs work in forked processes, as Airflow's LocalExecutor does, and watches how much memory each takes."""

import importlib
import multiprocessing
import os
import pkgutil
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from benchmarks.cpu import cpu_seconds
from benchmarks.memory import MEGABYTE_IN_KIB, Peaks, Watch, resident_kib

FORK = multiprocessing.get_context("fork")

PRELOADED = ("great_expectations", "dbt.cli.main", "dbt.adapters.postgres", "asyncssh")
STAGES = ("archive", "landing", "gate", "decision", "conform")


def preload() -> None:
    """Import what the scheduler of the local stack has imported when it forks a task (airflow_local_settings.py)."""
    for name in PRELOADED:
        importlib.import_module(name)
    for stage in STAGES:
        package = importlib.import_module(f"rollcall.{stage}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


class TaskError(Exception):
    """A task failed; the message is its traceback."""


@dataclass(frozen=True)
class Task:
    """Work for a process of its own.

    Attributes:
        name: What its memory is reported under.
        work: What it does; its result must be picklable.
    """

    name: str
    work: Callable[[], Any]


@dataclass
class Ran:
    """What came of some tasks that ran side by side.

    Attributes:
        seconds: From the start of the first to the end of the last, forks included.
        results: Each task's result, by its name.
        peaks: The most memory of each process, by what it is.
        cpu_seconds: Processor time of the tasks, of PostgreSQL and of the SFTP server; the watch takes a little of it.
    """

    seconds: float
    cpu_seconds: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)
    peaks: Peaks = field(default_factory=dict)


def run(tasks: Sequence[Task], watch: Watch, most: int = 1) -> Ran:
    """Run tasks, each in a forked process.

    Args:
        tasks: What is to be done.
        watch: Samples the memory of the processes meanwhile.
        most: How many run at a time.

    Raises:
        TaskError: one failed.
    """
    waiting, running = list(tasks), dict[int, tuple[Task, BaseProcess, Connection]]()
    names: dict[int, str] = {}
    at_end: dict[str, float] = {}
    ran = Ran(0.0)
    with watch.watching() as watched:
        begun, cpu_begun = time.perf_counter(), cpu_seconds(*watch.everybody)
        while waiting or running:
            while waiting and len(running) < most:
                task = waiting.pop(0)
                process, answer = _start(task)
                running[process.sentinel] = (task, process, answer)
                names[process.pid or 0] = task.name
            for sentinel in wait(list(running)):
                task, process, answer = running.pop(cast(int, sentinel))
                ran.results[task.name], at_end[task.name] = _result(task, process, answer)
        ran.seconds = time.perf_counter() - begun
        ran.cpu_seconds = cpu_seconds(*watch.everybody) - cpu_begun
    sampled = watched.peaks(names)
    ran.peaks = sampled | {name: max(megabytes, sampled.get(name, 0.0)) for name, megabytes in at_end.items()}
    return ran


def _start(task: Task) -> tuple[BaseProcess, Connection]:
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_do, args=(task, sender))
    process.start()
    sender.close()
    return process, receiver


def _do(task: Task, answer: Connection) -> None:
    """In the forked process: work, and answer. A small answer fits the pipe, so that nobody waits for its reader."""
    try:
        result = task.work()
        answer.send((True, (result, round(resident_kib(os.getpid()) / MEGABYTE_IN_KIB, 1))))
    except BaseException:  # noqa: BLE001 -- whatever it is, the parent raises it
        answer.send((False, traceback.format_exc()))


def _result(task: Task, process: BaseProcess, answer: Connection) -> tuple[Any, float]:
    """The task's result, and how much memory it had when it was done: a short one may end between two samples."""
    process.join()
    with answer:
        if not answer.poll():
            raise TaskError(f"{task.name} ended with exit code {process.exitcode} and no answer.")
        succeeded, result = answer.recv()
    if not succeeded:
        raise TaskError(f"{task.name} failed:\n{result}")
    return cast(tuple[Any, float], result)
