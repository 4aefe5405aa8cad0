"""Make the stack's secrets, a file for each: ``python3 docker/make_secrets.py``.

What is there stays as it is, so that this is safe to repeat: to renew a secret, remove its file first. The folder is
for its owner alone; within it, a container's user may read what the container is given.
"""

import argparse
import secrets
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def password() -> str:
    """A random password of 192 bits, safe inside a URL."""
    return secrets.token_urlsafe(24)


def long_secret() -> str:
    """A random word to sign tokens with."""
    return secrets.token_urlsafe(64)


def fernet_key() -> str:
    """A key as Airflow encrypts connections with it."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


RANDOM: Mapping[str, tuple[Callable[[], str], str]] = {
    "postgres_password": (password, "POSTGRES_PASSWORD"),
    "warehouse_password": (password, "WAREHOUSE_PASSWORD"),
    "airflow_db_password": (password, "AIRFLOW_DB_PASSWORD"),
    "airflow_fernet_key": (fernet_key, "AIRFLOW_FERNET_KEY"),
    "airflow_jwt_secret": (long_secret, "AIRFLOW_JWT_SECRET"),
    "airflow_api_secret_key": (password, "AIRFLOW_API_SECRET_KEY"),
    "redis_password": (password, "REDIS_PASSWORD"),
    "rollcall_airflow_password": (password, "AIRFLOW_SERVICE_PASSWORD"),
    "rollcall_forget_key": (long_secret, "ROLLCALL_FORGET_KEY"),
    "rollcall_server_admin_password": (password, "AIRFLOW_ADMIN_PASSWORD"),
}
"""How each is made, and the variable of an older version's .env that it is taken from if that is there."""
URLS = {
    "airflow_broker_url": ("redis_password", "redis://:{}@redis:6379/0"),
    "airflow_conn_warehouse": ("warehouse_password", "postgresql://rollcall:{}@postgres:5432/warehouse"),
    "airflow_sql_alchemy_conn": ("airflow_db_password", "postgresql+psycopg2://airflow:{}@postgres:5432/airflow"),
}
"""What is made of a password, anew each time."""
CERTIFICATE, KEY = "postgres_certificate", "postgres_key"
"""PostgreSQL's own, which services know it by; signed by itself unless you put your organization's there."""
CERTIFICATE_DAYS = 3650
YOURS = {
    "connections.env": "# smtp_default=smtp://user:password@mail.example.org:587?from_email=rollcall%40example.org\n",
    "proxy_certificate": "",
    "proxy_key": "",
    "rollcall_operators_urls": "",
}
"""What you fill in, if you like: see docs/deploy.md."""


def certificate(names: Sequence[str]) -> tuple[str, str]:
    """A server certificate that is signed by itself, and its key; both PEM.

    Args:
        names: The host names that the server is known by.

    Raises:
        OSError: there is no ``openssl`` here.
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        made, key = Path(folder, CERTIFICATE), Path(folder, KEY)
        kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        known_by = ",".join(f"DNS:{name}" for name in names)
        told = ("-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={known_by}", "-days", str(CERTIFICATE_DAYS))
        command = ["openssl", "req", *kind, *told, "-keyout", str(key), "-out", str(made)]
        subprocess.run(command, capture_output=True, check=True)
        return made.read_text(), key.read_text()


def make(folder: Path, env: Path, database_names: Sequence[str] = ()) -> list[str]:
    """Make what is missing.

    Args:
        folder: Where the secrets lie.
        env: An older version's settings, which held them; need not be there.
        database_names: The host names by which other machines know PostgreSQL.

    Returns:
        The names of those that were made.
    """
    lines = env.read_text().splitlines() if env.exists() else []
    older = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    made = [name for name in (*RANDOM, *YOURS) if not (folder / name).exists()]
    for name in made:
        _write(folder / name, YOURS[name] if name in YOURS else older.get(RANDOM[name][1]) or RANDOM[name][0]())
    if not (folder / CERTIFICATE).exists() or not (folder / KEY).exists():
        for name, text in zip((CERTIFICATE, KEY), certificate(["postgres", *database_names]), strict=True):
            _write(folder / name, text)
            made.append(name)
    for name, (source, url) in URLS.items():
        _write(folder / name, url.format((folder / source).read_text().strip()))
    return made


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    draft.write_text(text)
    draft.chmod(0o444)
    draft.replace(path)


def main() -> None:
    """Make them, and say which; never what they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT / "secrets")
    parser.add_argument("--env", type=Path, default=PROJECT / ".env", help="an older version's settings")
    parser.add_argument(
        "--database-name", action="append", default=[], metavar="HOST", help="by which other machines know PostgreSQL"
    )
    options = parser.parse_args()
    try:
        made = make(options.folder, options.env, options.database_name)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"Not all secrets could be made ({error}). PostgreSQL's certificate is made with `openssl`.")
    print(f"In {options.folder}: {', '.join(made) or 'nothing was missing'}")


if __name__ == "__main__":
    main()
