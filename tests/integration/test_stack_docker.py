"""What of the Docker stack can be checked without Docker."""

import asyncio
import importlib
import json
import re
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from cryptography import x509

from rollcall.settings import PROJECT_ROOT, Settings, passed_on, working_on
from rollcall.sftp import SftpAccount
from rollcall.stack import StackError, sftp_guesses
from rollcall.stack.accounts import accounts_here
from rollcall.stack.server_init import ServerSettings, ensure_logins, server_plan, write_accounts, write_logins
from rollcall.stack.server_secrets import MAY_BE_BLANK, blank_secrets

COMPOSE = (PROJECT_ROOT / "docker-compose.yaml").read_text()
EXAMPLE = (PROJECT_ROOT / ".env.example").read_text()


def explained(text: str) -> dict[str, str]:
    """The assignments, those too that are there for a person to take the ``#`` away."""
    return dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", text, re.MULTILINE))


def docker_modules(monkeypatch: pytest.MonkeyPatch, name: str) -> ModuleType:
    """A module of the SFTP service, which lies beside its fellows there."""
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "docker" / "sftp"))
    monkeypatch.setitem(sys.modules, "sftp_guesses", sftp_guesses)
    return importlib.import_module(name)


def test_every_variable_of_the_compose_file_is_explained() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    passed = {name for name, value in yaml.safe_load(COMPOSE)["x-settings"].items() if value is None}
    assert used | passed | {"COMPOSE_PROFILES"} == set(explained(EXAMPLE))


def test_every_setting_of_rollcall_is_passed_on_and_told_with_its_default() -> None:
    stack = yaml.safe_load(COMPOSE)
    secret = {name for name in passed_on() if name.lower() in stack["secrets"]}
    passed = stack["x-settings"]
    assert set(passed) | secret == set(passed_on())
    for service in ("scheduler", "triggerer", "dag-processor", "api-server", "migrate", "worker"):
        assert set(passed) <= set(stack["services"][service]["environment"])
        assert {name.lower() for name in secret} <= set(stack["services"][service]["secrets"])
    told = explained(EXAMPLE)
    for name in passed:
        assert told[name] == str(Settings.model_fields[name.removeprefix("ROLLCALL_").lower()].default), name


def test_a_blank_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_FINDINGS_KEPT_DAYS", "")
    assert Settings().findings_kept_days == 90


def test_the_scheduler_stops_before_what_its_tasks_report_to() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    for name in ("scheduler", "triggerer", "dag-processor", "worker"):
        assert {"api-server", "sftp", "migrate"} <= set(services[name]["depends_on"]), name
    graces = [int(services[name]["stop_grace_period"].removesuffix("s")) for name in ("scheduler", "postgres")]
    assert graces[0] <= 30


def test_a_worker_of_its_own_shares_no_disk_with_others() -> None:
    """But for the district files, which every machine needs."""
    services = yaml.safe_load(COMPOSE)["services"]
    assert services["worker"]["profiles"] == services["redis"]["profiles"] == ["celery"]
    named = [mount for mount in services["worker"]["volumes"] if ":" in mount]
    assert [mount.endswith("/dags/districts:ro") for mount in named] == [True]
    assert explained(EXAMPLE)["REQUIREMENTS"] == "requirements-several-machines.txt"
    assert f"!{explained(EXAMPLE)['REQUIREMENTS']}" in (PROJECT_ROOT / ".dockerignore").read_text().split()


def test_no_service_may_do_more_than_it_needs() -> None:
    for name, service in yaml.safe_load(COMPOSE)["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"], name
        assert {"mem_limit", "pids_limit", "logging"} <= set(service), name
    networks = {name: service["networks"] for name, service in yaml.safe_load(COMPOSE)["services"].items()}
    assert [name for name, joined in networks.items() if "uploads" in joined] == ["sftp"]
    assert [name for name, joined in networks.items() if "inboxes" in joined] == [
        "sftp",
        "scheduler",
        "triggerer",
        "worker",
    ]
    assert [name for name, joined in networks.items() if "front" in joined] == ["api-server", "proxy"]
    assert "inner" not in networks["sftp"] + networks["proxy"]
    assert yaml.safe_load(COMPOSE)["networks"]["inboxes"]["internal"]
    assert "ip_masquerade" in str(yaml.safe_load(COMPOSE)["networks"]["uploads"])


def test_no_secret_stands_in_a_containers_environment() -> None:
    stack = yaml.safe_load(COMPOSE)
    secret = re.compile(r"PASSWORD|SECRET|_KEY|_CONN|_URLS")
    for name, service in stack["services"].items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable) and "SECRETS__BACKEND" not in variable:
                assert re.fullmatch(r"(cat )?/run/secrets/\w+", value), f"{name}: {variable}"
                assert value.rpartition("/")[2] in service["secrets"], f"{name} is not given {value}"
    assert not [name for name in explained(EXAMPLE) if secret.search(name) and name != "SECRETS_DIR"]


def test_secrets_are_made_once_for_their_owner_alone_and_taken_over_from_an_older_version(tmp_path: Path) -> None:
    folder, older = tmp_path / "secrets", tmp_path / ".env"
    older.write_text("# AIRFLOW_DB_PASSWORD=no\nWAREHOUSE_PASSWORD=as-it-was\nAIRFLOW_JWT_SECRET=\n")
    program = str(PROJECT_ROOT / "docker" / "make_secrets.py")
    command = [sys.executable, program, "--folder", str(folder), "--env", str(older)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == set(yaml.safe_load(COMPOSE)["secrets"])
    assert made["warehouse_password"] == "as-it-was"
    assert made["airflow_conn_warehouse"] == "postgresql://rollcall:as-it-was@postgres:5432/warehouse"
    assert made["airflow_db_password"] in made["airflow_sql_alchemy_conn"]
    assert len({value for name, value in made.items() if name.endswith("_password")}) == 6
    assert not [value for name, value in made.items() if value in said and name not in MAY_BE_BLANK]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    (folder / "airflow_jwt_secret").unlink()
    subprocess.run(command, capture_output=True, check=True)
    again = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in made if again[name] != made[name]} == {"airflow_jwt_secret"}
    assert blank_secrets(folder) == []
    (folder / "airflow_fernet_key").unlink()
    (folder / "airflow_fernet_key").mkdir()
    (folder / "airflow_jwt_secret").chmod(0o600)
    (folder / "airflow_jwt_secret").write_text("\n")
    assert blank_secrets(folder) == ["airflow_fernet_key", "airflow_jwt_secret"]


def test_postgresql_is_reached_from_other_hosts_by_tls_and_a_password_only(tmp_path: Path) -> None:
    rules = [line.split() for line in (PROJECT_ROOT / "docker/postgres/pg_hba.conf").read_text().splitlines()]
    assert {(rule[0], rule[-1]) for rule in rules if rule[0] != "#"} == {
        ("local", "trust"),
        ("hostssl", "scram-sha-256"),
    }
    program = str(PROJECT_ROOT / "docker" / "make_secrets.py")
    options = ["--folder", str(tmp_path / "secrets"), "--database-name", "warehouse.example.org"]
    subprocess.run([sys.executable, program, *options], stdout=subprocess.DEVNULL, check=True)
    made, key = tmp_path / "secrets" / "postgres_certificate", tmp_path / "secrets" / "postgres_key"
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made, key)
    known_by = x509.load_pem_x509_certificate(made.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert known_by.value.get_values_for_type(x509.DNSName) == ["postgres", "warehouse.example.org"]
    for name, service in yaml.safe_load(COMPOSE)["services"].items():
        if "AIRFLOW__CORE__EXECUTOR" in service.get("environment", {}):
            assert service["environment"]["PGSSLMODE"] == "${POSTGRES_SSLMODE:-verify-full}", name
            assert "postgres_certificate" in service["secrets"], name


def test_every_service_has_a_health_check_or_ends_by_itself() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    assert set(services) == {
        "api-server",
        "dag-processor",
        "migrate",
        "postgres",
        "proxy",
        "redis",
        "scheduler",
        "sftp",
        "triggerer",
        "worker",
    }
    assert [name for name, service in services.items() if "test" not in service["healthcheck"]] == ["migrate"]


def test_law_7_what_a_container_of_rollcall_writes_is_its_users_alone() -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    command = [*json.loads(entry), "sh", "-c", "umask; echo $1", "--", "two words"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.split("\n") == ["0077", "two words", ""]


def test_district_files_are_written_by_what_adds_districts_and_by_the_page_only() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    folder = "/opt/rollcall/dags/districts"
    mounts = {
        name: [each for each in service.get("volumes", ()) if folder in each] for name, service in services.items()
    }
    assert {name for name, found in mounts.items() if found and found[0].endswith(folder)} == {"api-server", "migrate"}
    assert all(mounts[name][0].endswith(":ro") for name in ("scheduler", "triggerer", "dag-processor", "worker"))


def test_what_migrate_documents_is_what_the_api_server_shows() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    mount = "docs:/var/lib/rollcall/state/docs"
    assert services["migrate"]["environment"]["ROLLCALL_STATE_DIR"] == "/var/lib/rollcall/state"
    assert mount in services["migrate"]["volumes"]
    assert mount in services["api-server"]["volumes"]
    assert " /var/lib/rollcall/state/docs" in (PROJECT_ROOT / "Dockerfile").read_text(), "owned by the right user"


def test_logins_are_made_once_and_numbers_are_never_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "districts.json"
    first = ensure_logins(path, ["alpha", "beta"])
    assert ensure_logins(path, ["alpha", "beta"]) == first
    later = ensure_logins(path, ["beta", "gamma"])
    assert later["beta"] == first["beta"]
    assert later["gamma"].number == 2
    assert ensure_logins(path, ["alpha"]) == {"alpha": first["alpha"]}
    write_logins(tmp_path / "logins.tsv", first)
    rows = [line.split("\t")[:4] for line in (tmp_path / "logins.tsv").read_text().splitlines()]
    assert rows[:2] == [["alpha", "alpha", "0", "district"], ["alpha--rollcall", "alpha", "0", "rollcall"]]


def test_guesses_at_the_sftp_service_wait_and_those_of_one_account_keep_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = ensure_logins(tmp_path / "districts.json", ["alpha", "beta"])
    write_logins(tmp_path / "logins.tsv", logins)
    service = docker_modules(monkeypatch, "passwords")
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(service.asyncio, "sleep", wait)

    async def story() -> None:
        known = docker_modules(monkeypatch, "accounts").read_logins(tmp_path / "logins.tsv")
        passwords = service.Passwords()
        passwords.logins = {login.username: login for login in known if login.is_district}
        for _ in range(20):
            assert not await passwords.is_right("alpha", "wrong")
        assert waits[:5] == [0] * 5
        assert max(waits) > 5
        assert not await passwords.is_right("alpha", logins["alpha"].password), "too many wait already"
        assert await passwords.is_right("beta", logins["beta"].password)
        assert waits[-1] == 0
        for name, password in (("alpha--rollcall", ""), ("nobody", ""), ("beta", "")):
            assert not await passwords.is_right(name, password)

    asyncio.run(story())


def test_a_servers_accounts_change_by_the_same_commands_and_its_keys_are_those_that_sshd_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, districts = tmp_path / "accounts", tmp_path / "districts"
    for each in (folder, districts):
        each.mkdir()
    for name in ("alpha", "beta"):
        (districts / f"{name}.yaml").write_text(f"name: {name}\n")
    monkeypatch.setenv("ROLLCALL_SERVER_ACCOUNTS_DIR", str(folder))
    monkeypatch.setenv("ROLLCALL_SERVER_ADMIN_PASSWORD", "long enough for it")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJIc9rrEOOEEqnvQvESCYVUK6djK5Ss4cyV5yPBMzXhD"
    with working_on(districts_dir=districts):
        accounts = accounts_here()
        write_accounts(folder)
        with pytest.raises(StackError, match="ROLLCALL_SFTP_ADDRESS"):
            accounts.address()
        before = accounts.of("alpha")
        accounts.change("alpha", lambda known: known.renewed(key))
        accounts.change("beta", lambda known: known.handed_over("https://share.example.org/1"))
        with pytest.raises(StackError, match="'gamma' has no SFTP account"):
            accounts.change("gamma", lambda known: known.renewed())
        (own,) = {(folder / "keys.tsv").read_text().splitlines()[-1].split("\t")[1] + "\n"}
        service = {"alpha--rollcall": own, "beta--rollcall": own}
        assert authorized(monkeypatch, folder, tmp_path / "keys") == {"alpha": f"{key}\n"} | service
        (connection, _) = server_plan(ServerSettings(), write_accounts(folder)).connections
        shown = SftpAccount("h", 22, connection.login, "", private_key=connection.extra["private_key"])
        assert shown._client_keys()[0].export_public_key().decode().startswith(own.strip())
        after, beta = accounts.of("alpha"), accounts.of("beta")
        assert before
        assert after
        assert beta
        assert (after.public_key, after.is_handed_over, after.password != before.password) == (key, True, True)
        assert beta.secret_link == "https://share.example.org/1"
        assert after.password in (folder / "logins.tsv").read_text(), "a password that nobody was told"
        accounts.change("alpha", lambda known: known.renewed())
        assert authorized(monkeypatch, folder, tmp_path / "keys") == service
    with working_on(sftp_address="sftp.example.org:2222"):
        address = accounts.address()
    assert (address.host, address.port) == ("sftp.example.org", 2222)
    assert address.host_key.startswith("ssh-ed25519 ")


def authorized(monkeypatch: pytest.MonkeyPatch, accounts: Path, folder: Path) -> dict[str, str]:
    """What the SFTP service lets in by key, once it has read the accounts."""
    service = docker_modules(monkeypatch, "accounts")
    service.authorize(service.read_keys(accounts / "keys.tsv"), folder)
    sshd_config = PROJECT_ROOT / "docker" / "sftp" / "sshd_config"
    assert f"AuthorizedKeysFile {service.AUTHORIZED}/%u" in sshd_config.read_text()
    return {each.name: each.read_text() for each in folder.iterdir()}
