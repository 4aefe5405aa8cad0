"""OneRoster 1.2: what roles.csv says comes into the landed users."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from helpers.deliveries import execute, query
from helpers.gating import GOOD, NO_LIMIT, NO_LIMITS, deliver, found, gate_file, good, publish

from rollcall.gate import gate_delivery
from rollcall.gate.fold import fold_roles

Cells = Mapping[str, str | None]


def user(source_id: str, **changes: str | None) -> Cells:
    return good("users", **{"sourced_id": source_id, "role": None, "org_sourced_ids": None, **changes})


def role(number: int, source_id: str, name: str | None, org: str | None, **changes: str | None) -> Cells:
    return {
        "sourced_id": f"R{number}",
        "user_sourced_id": source_id,
        "role_type": "primary",
        "role": name,
        "org_sourced_id": org,
        **changes,
    }


def folded(url: str, delivery_id: int) -> dict[str, tuple[str | None, str | None]]:
    """Role and schools of each landed user, after the gate on users.csv."""
    gate_file(delivery_id, "users", NO_LIMIT)
    rows = query(url, f"select sourced_id, role, org_sourced_ids from delivery_{delivery_id}.users")
    return {source_id: (name, orgs) for source_id, name, orgs in rows}


def publish_user(url: str, source_id: str, name: str, *orgs: str) -> None:
    publish(url, "users", source_id)
    execute(
        url,
        "update history.hist_users set role = %s, org_source_ids = %s where source_id = %s",
        name,
        list(orgs),
        source_id,
    )


def test_a_persons_role_is_the_primary_one_and_the_schools_are_all(warehouse_url: str) -> None:
    roles = [
        role(1, "1", "student", "990"),
        role(2, "2", "parent", "990", role_type="secondary"),
        role(3, "2", "Principal ", "994"),
        role(4, "2", "teacher", " 991"),
        role(5, "2", "aide", "994", role_type=None),
        role(6, "3", "ext:coach", "990", role_type="secondary"),
        role(7, "4", "teacher", "990"),
        role(8, "4", "teacher", "994", status="tobedeleted"),
        role(9, "7", "teacher", "994", role_type="secondary"),
        role(10, "7", "aide", "990", role_type="PRIMARY"),
    ]
    users = [
        user("1"),
        user(" 2"),
        user("3"),
        user("4"),
        user("5"),
        user("6", role="aide", org_sourced_ids="7"),
        user("7"),
    ]
    delivery_id = deliver(warehouse_url, {"users": users, "roles": roles})
    expected = {
        "1": ("student", "990"),
        " 2": ("teacher", "994,991,990"),
        "3": ("ext:coach", "990"),
        "4": ("teacher", "990"),
        "5": (None, None),
        "6": ("aide", "7"),
        "7": ("aide", "990,994"),
    }
    assert folded(warehouse_url, delivery_id) == expected
    assert {
        line for line, codes in found(warehouse_url, delivery_id, "users").items() if "users_role_missing" in codes
    } == {6}
    assert folded(warehouse_url, delivery_id) == expected


def test_users_of_1_1_are_left_as_they_are(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"users": [user("1")]})
    assert folded(warehouse_url, delivery_id) == {"1": (None, None)}
    delivery_id = deliver(warehouse_url, {"users": [user("1")], "roles": [role(1, "1", "student", "990")]})
    execute(warehouse_url, "update rollcall.delivery_file set verdict = 'reject' where file = 'roles'")
    assert folded(warehouse_url, delivery_id) == {"1": (None, None)}


RAGGED = [("roles", 9, "R9")]


@pytest.mark.parametrize(
    ("modes", "ragged"), [({"roles": "delta"}, []), ({}, RAGGED)], ids=["a file of changes", "a file with a ragged row"]
)
def test_law_5_roles_that_need_not_all_be_there_add_to_what_is_published(
    warehouse_url: str, modes: Mapping[str, str], ragged: Sequence[tuple[str, int, str]]
) -> None:
    publish_user(warehouse_url, "1", "teacher", "990", "994")
    publish_user(warehouse_url, "2", "student", "990")
    publish_user(warehouse_url, "3", "aide", "990")
    roles = [
        role(1, "1", "aide", "991", role_type="secondary"),
        role(2, "1", "teacher", "994", status="tobedeleted"),
        role(3, "2", "teacher", "995"),
        role(4, "4", "student", "990"),
    ]
    users = [user(source_id) for source_id in "1234"]
    delivery_id = deliver(warehouse_url, {"users": users, "roles": roles}, modes=modes, ragged=ragged)
    assert folded(warehouse_url, delivery_id) == {
        "1": ("teacher", "990,991"),
        "2": ("teacher", "990,995"),
        "3": ("aide", "990"),
        "4": ("student", "990"),
    }


def test_a_full_file_of_roles_is_all_there_is(warehouse_url: str) -> None:
    publish_user(warehouse_url, "1", "teacher", "990", "994")
    roles = [role(1, "1", "aide", "991", role_type="secondary")]
    delivery_id = deliver(warehouse_url, {"users": [user("1"), user("2")], "roles": roles})
    assert folded(warehouse_url, delivery_id) == {"1": ("aide", "991"), "2": (None, None)}


def test_a_person_who_is_to_be_deleted_needs_no_role(warehouse_url: str) -> None:
    publish_user(warehouse_url, "1", "teacher", "990", "994")
    gone = user("1", status="tobedeleted")
    delivery_id = deliver(warehouse_url, {"users": [gone, user("2")], "roles": [role(1, "2", "student", "990")]})
    assert folded(warehouse_url, delivery_id) == {"1": ("teacher", "990,994"), "2": ("student", "990")}
    assert found(warehouse_url, delivery_id, "users").get(2, {}).get("users_role_missing") is None


def test_roles_without_a_record_count_as_not_sent(warehouse_url: str) -> None:
    publish_user(warehouse_url, "1", "teacher", "990", "994")
    delivery_id = deliver(warehouse_url, {"users": [user("1")], "roles": []})
    assert folded(warehouse_url, delivery_id) == {"1": ("teacher", "990,994")}


def test_a_person_with_a_bad_role_is_set_aside_rather_than_losing_a_school(warehouse_url: str) -> None:
    roles = [
        role(1, "1", "student", "990"),
        role(2, "2", "teacher", "990"),
        role(3, "2", "coach", "994"),
        role(4, "3", "teacher", "990"),
        role(5, "3", "teacher", None),
        role(6, "9", "teacher", "990"),
        role(7, "1", "student", "999", role_type="main"),
    ]
    files: dict[str, list[Any]] = {
        **{name: [GOOD[name]] for name in GOOD},
        "users": [user("1"), user("2"), user("3")],
        "roles": roles,
    }
    delivery_id = deliver(warehouse_url, files)
    for name in ("roles", "users", "orgs"):
        gate_file(delivery_id, name, NO_LIMIT)
    gate_delivery(delivery_id, NO_LIMITS)
    of_users = found(warehouse_url, delivery_id, "users")
    aside = {line for line, codes in of_users.items() if codes.get("users_roles_set_aside") == "critical"}
    assert aside == {3, 4}
    of_roles = found(warehouse_url, delivery_id, "roles")
    assert of_roles == {
        4: {"roles_role_invalid": "critical", "roles_org_unknown": "warning"},
        6: {"roles_org_sourced_id_missing": "critical"},
        7: {"roles_user_unknown": "warning"},
        8: {"roles_role_type_invalid": "warning", "roles_org_unknown": "warning"},
    }


def test_a_role_whose_person_is_not_sent_is_told(warehouse_url: str) -> None:
    publish_user(warehouse_url, "9", "teacher", "990")
    files: dict[str, list[Any]] = {"orgs": [GOOD["orgs"]], "users": [user("1")], "roles": [role(1, "9", "aide", "990")]}
    delivery_id = deliver(warehouse_url, files, modes={"users": "delta", "roles": "delta"})
    gate_delivery(delivery_id, NO_LIMITS)
    assert found(warehouse_url, delivery_id, "roles") == {2: {"roles_user_not_sent": "warning"}}


def test_folding_twice_changes_nothing(warehouse_url: str) -> None:
    delivery_id = deliver(warehouse_url, {"users": [user("1")], "roles": [role(1, "1", "student", "990")]})
    fold_roles(delivery_id)
    where = f"select ctid::text, xmin::text, u::text from delivery_{delivery_id}.users as u"
    before = query(warehouse_url, where)
    fold_roles(delivery_id)
    assert query(warehouse_url, where) == before


def test_a_ragged_role_is_told_where_a_roster_is_published(warehouse_url: str) -> None:
    """Roles have no history of their own: no published role has the id that its first cell might be."""
    publish_user(warehouse_url, "1", "teacher", "990")
    files: dict[str, list[Any]] = {"users": [user("1")], "roles": [role(1, "1", "teacher", "990")]}
    delivery_id = deliver(warehouse_url, files, ragged=[("roles", 3, "R2")])
    assert gate_file(delivery_id, "roles", NO_LIMIT).findings == {"row_ragged": 1}
    assert found(warehouse_url, delivery_id, "roles") == {3: {"row_ragged": "critical"}}
