"""The values for Airflow's Helm chart say nothing that Rollcall and Airflow do not know, and hold no secret."""

import re
from typing import Any

import pytest
import yaml
from airflow.configuration import conf

from rollcall.settings import PROJECT_ROOT, Settings

FOLDER = PROJECT_ROOT / "deploy" / "helm"
FILES = ("values.yaml", "celery.yaml")
OF_OTHER_LIBRARIES = {"DBT_SEND_ANONYMOUS_USAGE_STATS", "DO_NOT_TRACK", "GX_ANALYTICS_ENABLED", "TZ"}
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())


def test_every_variable_is_a_setting_of_rollcall_or_known() -> None:
    settings = {f"ROLLCALL_{name.upper()}" for name in Settings.model_fields} | {"AIRFLOW_CONN_WAREHOUSE"}
    named = [each["name"] for each in VALUES["env"]] + [each["envName"] for each in VALUES["secret"]]
    assert len(named) == len(set(named))
    assert set(named) - settings - OF_OTHER_LIBRARIES == {"AIRFLOW_CONN_ARCHIVE_STORE"}


def test_every_option_is_one_of_airflows() -> None:
    unknown = [f"{section}.{option}" for section, options in VALUES["config"].items() for option in options
               if not conf.has_option(section, option)]  # fmt: skip
    assert unknown == []


@pytest.mark.parametrize("name", FILES)
def test_no_secret_stands_in_it(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert not re.findall(r"://\w+:|password: \S|BEGIN .*KEY", text)
    assert {each["secretName"] for each in VALUES["secret"]} == {"rollcall"}


def test_the_chart_makes_no_account_with_a_password_that_all_know() -> None:
    assert VALUES["createUserJob"] == {"defaultUser": {"enabled": False}}


def test_archive_and_logs_lie_where_every_pod_finds_them() -> None:
    env = {each["name"]: each["value"] for each in VALUES["env"]}
    connection = env["ROLLCALL_ARCHIVE_URL"].removeprefix("s3://").partition("@")[0]
    assert f"AIRFLOW_CONN_{connection.upper()}" in {each["envName"] for each in VALUES["secret"]}
    assert VALUES["config"]["logging"]["remote_log_conn_id"] == connection
    assert VALUES["airflowLocalSettings"] is None, "the chart's would hide the image's, which imports ahead of time"


def test_the_variant_changes_nothing_but_who_works() -> None:
    celery = yaml.safe_load((FOLDER / "celery.yaml").read_text())
    assert (VALUES["executor"], celery["executor"]) == ("KubernetesExecutor", "CeleryExecutor")
    assert set(celery) == {"config", "executor", "redis", "workers"}
    assert set(celery["config"]) == {"celery"}
