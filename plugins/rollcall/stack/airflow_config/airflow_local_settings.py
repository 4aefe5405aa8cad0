"""Airflow imports this module, if it is on the path, when it starts.

The LocalExecutor forks each task from the scheduler. What is imported here, in the scheduler only, costs a task
nothing; imported in the task itself, Great Expectations and dbt cost six seconds each time.
"""

import importlib
import logging
import pkgutil
import sys

__all__: list[str] = []

_HEAVY = ("great_expectations", "dbt.cli.main", "dbt.adapters.postgres")
_STAGES = ("arrival", "archive", "landing", "gate", "decision", "conform", "publish", "report")

_log = logging.getLogger("rollcall.preload")


def _preload(name: str) -> None:
    """Import a module; one that cannot be imported is left for its task to report."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        _log.warning("%s is not preloaded, tasks import it themselves: %s", name, error)


def _preload_stages() -> None:
    package = importlib.import_module("rollcall")
    for module in pkgutil.walk_packages(package.__path__, "rollcall."):
        if module.name.split(".")[1] in _STAGES:
            _preload(module.name)


if "scheduler" in sys.argv:
    for _name in _HEAVY:
        _preload(_name)
    _preload_stages()
