"""The benchmarks run, and write what they promise; how fast anything is, no test says."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.tables import readers_table
from rollcall.settings import PROJECT_ROOT

NIGHTS = ("first load", "next night", "identical night", "first load of a second district")
STAGES = {"transfer", "archive", "land", "gate", "decide", "conform", "publish"}


def test_a_tiny_district_is_measured_stage_by_stage(tmp_path: Path) -> None:
    result = _measured("district", tmp_path, "--students", "600")
    first, following, identical, second = result["nights"]

    assert [night["name"] for night in result["nights"]] == list(NIGHTS)
    assert [night["state"] for night in result["nights"]] == ["published", "published", "unchanged", "published"]
    assert set(first["stages"]) == set(following["stages"]) == set(second["stages"]) == STAGES
    assert set(identical["stages"]) == {"transfer", "archive"}
    assert len(result["copy"]["runs"]) == 5
    assert {"seconds", "ratio", "cpu_seconds", "cpu_ratio"} <= set(first)
    assert result["reader"]["one_school"]["rows_most"] > 0
    assert {"build", "receive", "decide", "PostgreSQL backend", "SFTP server"} <= {
        process for found in first["memory_mb"].values() for process in found
    }
    assert all(megabytes > 0 for found in first["memory_mb"].values() for megabytes in found.values())
    assert not (tmp_path / "work" / "stack").exists(), "the stack is left behind"


def test_few_readers_questions_are_measured(tmp_path: Path) -> None:
    result = _measured("readers", tmp_path, "--students", "60", "--small", "1")

    assert result["districts"] == 3
    assert set(result["worked_out_seconds"]) == {"hist_class_details", "hist_doubles"}
    assert Counter((answer["who"], answer["as_of"]) for answer in result["answers"]) == {
        ("one district", None): 13, ("all districts", None): 13, ("all districts", "2026-10-03"): 13,
    }  # fmt: skip
    assert readers_table(result).count("\n| ") == 2 + 13


def _measured(name: str, folder: Path, *options: str) -> Any:
    """What a benchmark writes, run as from the command line."""
    places = ["--work", str(folder / "work"), "--results", str(folder / "results")]
    bench = [sys.executable, "-m", "benchmarks", name, *options, *places]
    done = subprocess.run(bench, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "results" / f"{name}.json").read_text())
