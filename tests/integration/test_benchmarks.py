"""The benchmarks run, and write what they promise; how fast anything is, no test says."""

import json
import subprocess
import sys
from pathlib import Path

from rollcall.settings import PROJECT_ROOT

NIGHTS = ("first load", "next night", "identical night", "first load of a second district")
STAGES = {"transfer", "archive", "land", "gate", "decide", "conform", "publish"}


def test_a_tiny_district_is_measured_stage_by_stage(tmp_path: Path) -> None:
    bench = [sys.executable, "-m", "benchmarks", "district", "--students", "600"]
    places = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    done = subprocess.run([*bench, *places], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    result = json.loads((tmp_path / "results" / "district.json").read_text())
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
