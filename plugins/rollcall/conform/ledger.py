"""The ledger's side of a build: what waits, what a build is frozen to, how it ended."""

from dataclasses import dataclass

from rollcall.conform.history import undo_unpublished
from rollcall.conform.outcomes import NodeOutcome
from rollcall.ledger import close_night
from rollcall.warehouse import Connection, value, values


@dataclass(frozen=True)
class AcceptedDelivery:
    """A delivery that waits to be built.

    Attributes:
        delivery_id: The delivery.
        district_id: Its district.
        sequence: Its place among the district's accepted deliveries.
    """

    delivery_id: int
    district_id: str
    sequence: int


def waiting_deliveries(session: Connection, except_districts: set[str]) -> list[AcceptedDelivery]:
    """Per district the accepted delivery that comes next; one of a night to come waits until that is corrected."""
    rows = session.execute(
        "select distinct on (district_id) delivery_id, district_id, accepted_sequence from rollcall.delivery"
        " where state = 'accepted' and service_date <= rollcall.latest_night() and district_id <> all(%s)"
        " order by district_id, accepted_sequence",
        [sorted(except_districts)],
    )
    return [AcceptedDelivery(*row) for row in rows.fetchall()]


def retire_overtaken(session: Connection) -> None:
    """Close accepted deliveries that are not newer than what is published: time only moves forward."""
    with session.transaction():
        retired = values(
            session,
            "update rollcall.delivery set state = 'superseded', state_reason = 'a newer delivery is published'"
            " from rollcall.publication where delivery.state = 'accepted'"
            " and publication.district_id = delivery.district_id"
            " and delivery.accepted_sequence <= publication.sequence returning delivery.delivery_id",
        )
        for delivery_id in retired:
            close_night(session, delivery_id)


def freeze(session: Connection, deliveries: list[AcceptedDelivery], split_from: int | None) -> int:
    """Record what the next build consists of; from here on ``rollcall.current_build`` shows it.

    Returns:
        The build's id.
    """
    with session.transaction():
        build_id: int = value(
            session, "insert into rollcall.build (split_from_build_id) values (%s) returning build_id", [split_from]
        )
        with session.cursor() as cursor:
            cursor.executemany(
                "insert into rollcall.build_delivery (build_id, delivery_id, district_id, sequence)"
                " values (%s, %s, %s, %s)",
                [(build_id, each.delivery_id, each.district_id, each.sequence) for each in deliveries],
            )
    return build_id


def record_nodes(session: Connection, build_id: int, nodes: list[NodeOutcome]) -> None:
    """Record how each model and audit of a build ended."""
    with session.transaction(), session.cursor() as cursor:
        cursor.executemany(
            "insert into rollcall.build_node (build_id, node, kind, status, seconds, message)"
            " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            [(build_id, node.name, node.kind, node.status, node.seconds, node.message) for node in nodes],
        )


def finish(session: Connection, build_id: int, state: str, message: str | None = None) -> None:
    """Record how a build ended."""
    session.execute(
        "update rollcall.build set state = %s, message = %s, finished_at = now() where build_id = %s",
        [state, message, build_id],
    )


def fail(session: Connection, build_id: int, deliveries: list[AcceptedDelivery], message: str) -> None:
    """Undo what a build wrote and record that it failed, as one."""
    with session.transaction():
        undo_unpublished(session, [each.district_id for each in deliveries])
        finish(session, build_id, "failed", message)


def abandon_running_builds(session: Connection) -> list[int]:
    """Undo what builds wrote that still run although nobody runs them, and mark them abandoned.

    Returns:
        The builds' ids.
    """
    with session.transaction():
        undo_unpublished(session, values(session, "select district_id from rollcall.current_build"))
        return values(
            session,
            "update rollcall.build set state = 'abandoned', finished_at = now() where state = 'running'"
            " returning build_id",
        )


def settle(session: Connection, delivery_id: int, state: str, reason: str) -> None:
    """Record that a delivery will not be published as it is, and why."""
    with session.transaction():
        session.execute(
            "update rollcall.delivery set state = %s, state_reason = %s where delivery_id = %s and state = 'accepted'",
            [state, reason, delivery_id],
        )
        close_night(session, delivery_id)
