"""What the audits found, per district: rows in the ledger, not a failed build."""

from collections.abc import Iterable

from psycopg import sql

from rollcall.conform.outcomes import NodeOutcome
from rollcall.warehouse import Connection


def record_findings(session: Connection, build_id: int, nodes: Iterable[NodeOutcome]) -> dict[str, str]:
    """Copy the findings of a build's audits into the ledger.

    Args:
        session: The session that holds the conform lock.
        build_id: The build.
        nodes: Its nodes; audits that found something carry the status ``warn``.

    Returns:
        Per district with findings, the rules that its new content broke and how often.
    """
    for node in nodes:
        if node.kind == "test" and node.status == "warn":
            _record(session, build_id, node.name)
    rows = session.execute(
        "select district_id, string_agg(rule || ': ' || failures, '; ' order by rule) from rollcall.audit_finding"
        " where build_id = %s group by district_id",
        [build_id],
    )
    return dict(rows.fetchall())


def _record(session: Connection, build_id: int, audit: str) -> None:
    session.execute(
        sql.SQL(
            "insert into rollcall.audit_finding (build_id, delivery_id, district_id, rule, failures)"
            " select build_id, delivery_id, district_id, {rule}, finding.failures"
            " from {findings} as finding inner join rollcall.build_delivery using (district_id)"
            " where build_id = {build_id} on conflict do nothing"
        ).format(
            rule=sql.Literal(audit.removeprefix("audit_")),
            findings=sql.Identifier("audit", audit),
            build_id=sql.Literal(build_id),
        )
    )
