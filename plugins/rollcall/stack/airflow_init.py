"""Bring Airflow's metadata database in line in one process: schema, roles, users, connections.

Run as ``python -m rollcall.stack.airflow_init`` with the plan as JSON on standard input, so that no secret is ever on a
command line. Airflow is imported before the plan is read: the import goes on while PostgreSQL is still starting.
"""

import json
import sys
from typing import Any

from rollcall.districts import CONNECTION_PREFIX
from rollcall.stack.airflow_plan import Plan, SftpConnection, User
from rollcall.stack.state import service_login


def apply(plan: Plan) -> None:
    """Create or upgrade the schema, then create or correct what the plan lists.

    Of what it does not list, only connections to accounts of Rollcall's own are removed: their district is gone.
    """
    from airflow.utils.db import initdb
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    providers_configuration_loaded(initdb)()
    apply_connections(plan.connections)
    _apply_users(plan.users)


def apply_connections(wanted: list[SftpConnection]) -> None:
    """Create or correct these connections, and remove those of Rollcall's own whose district is gone."""
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        known = {row.conn_id: row for row in session.scalars(select(Connection))}
        for entry in wanted:
            row = known.get(entry.conn_id)
            if row is None:
                row = Connection(conn_id=entry.conn_id, conn_type="sftp")
                session.add(row)
            _correct(row, entry)
        for name in set(known) - {entry.conn_id for entry in wanted}:
            if known[name].login == service_login(name.removeprefix(CONNECTION_PREFIX)):
                session.delete(known[name])


def _correct(row: Any, entry: SftpConnection) -> None:
    found = (row.conn_type, row.host, row.port, row.login, row.password, row.extra_dejson)
    if found == ("sftp", entry.host, entry.port, entry.login, entry.password, entry.extra):
        return
    row.conn_type, row.host, row.port, row.login = "sftp", entry.host, entry.port, entry.login
    row.set_password(entry.password)
    row.set_extra(json.dumps(entry.extra))


def _apply_users(wanted: list[User]) -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        untyped: Any = builder
        manager = untyped.sm
        untyped.add_permissions(update_perms=True)
        manager.sync_roles()
        for user in wanted:
            _apply_user(manager, user)


def _apply_user(manager: Any, user: User) -> None:
    from werkzeug.security import check_password_hash

    known = manager.find_user(username=user.username)
    if known is None:
        role = manager.find_role(user.role)
        email = f"{user.username}@rollcall.invalid"
        if not manager.add_user(user.username, user.username.title(), "Rollcall", email, role, user.password):
            raise RuntimeError(f"Airflow did not create its user {user.username}; the reason is in the log above")
    elif not user.keep_password and not check_password_hash(known.password, user.password):
        manager.reset_password(known.id, user.password)


def main() -> None:
    """Read the plan from standard input and apply it."""
    import airflow.providers.fab.auth_manager.cli_commands.utils
    import airflow.utils.db  # noqa: F401

    text = sys.stdin.read()
    if not text.strip():
        sys.exit("No plan on standard input: `rollcall up` sends it.")
    apply(Plan.model_validate_json(text))


if __name__ == "__main__":
    main()
