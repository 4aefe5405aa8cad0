"""Airflow imports this module, if it is on the path, when it starts.

The LocalExecutor forks each task from the scheduler, the CeleryExecutor from a worker. What is imported here, in these
only, costs a task nothing; imported in the task itself, Great Expectations and dbt cost six seconds each time.
"""

import importlib
import importlib.util
import logging
import pkgutil
import sys

__all__: list[str] = []

_HEAVY = (
    "great_expectations",
    "dbt.cli.main",
    "dbt.adapters.postgres",
    "airflow.providers.sftp.hooks.sftp",
    "airflow.providers.postgres.hooks.postgres",
    # What the DAG files import, which each task's process parses anew.
    "airflow.sdk.definitions.decorators",
    "airflow.providers.standard.decorators.branch_python",
    "airflow.timetables.assets",
    "airflow.timetables.trigger",
)
_ROOMS = (
    *("arrival", "archive", "landing", "gate", "decision", "conform", "report"),
    *("airflow", "airflow.sensors", "airflow.triggers", "airflow.operators"),
)

_log = logging.getLogger("rollcall.preload")


def _preload(name: str) -> None:
    """Import a module; one that cannot be imported is left for its task to report."""
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with one module, the process has to start
        _log.warning("%s is not preloaded, tasks import it themselves: %r", name, error)


def _preload_room(package: str) -> None:
    """Import a package and every module in it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return
    _preload(package)
    for module in pkgutil.iter_modules(spec.submodule_search_locations, f"{package}."):
        _preload(module.name)


if {"scheduler", "worker"} & set(sys.argv):
    for _name in _HEAVY:
        _preload(_name)
    for _name in _ROOMS:
        _preload_room(f"rollcall.{_name}")
