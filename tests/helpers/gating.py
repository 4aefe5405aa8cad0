"""Deliveries as landing leaves them, for the gate to judge."""

from collections.abc import Mapping, Sequence

import psycopg
from helpers.deliveries import FIRST_NIGHT, Files, execute, land, query

from rollcall.districts import Limit, Limits
from rollcall.gate import FileOutcome, gate_files
from rollcall.oneroster import FILE_BY_NAME

DISTRICT = "maple"
NO_LIMIT = Limit(percent=100, floor=0)
NO_ROW_MORE = Limit(percent=0, floor=0)
NO_LIMITS, NO_ROWS_MORE = Limits.alike(NO_LIMIT), Limits.alike(NO_ROW_MORE)

Ragged = tuple[str, int, str]

GOOD: Mapping[str, Mapping[str, str]] = {
    "orgs": {"sourced_id": "990", "name": "Maple School", "type": "school"},
    "academicSessions": {
        "sourced_id": "990_F",
        "title": "Fall",
        "type": "term",
        "start_date": "2026-08-12",
        "end_date": "2026-12-18",
        "school_year": "2027",
    },
    "courses": {
        "sourced_id": "MAT1",
        "title": "Mathematics",
        "org_sourced_id": "990",
        "grades": "09,10",
        "subjects": "Mathematics",
        "subject_codes": "02",
    },
    "users": {
        "sourced_id": "1001",
        "enabled_user": "true",
        "org_sourced_ids": "990",
        "role": "student",
        "username": "u1001",
        "user_ids": "{LDAP:u1001}",
        "given_name": "Ana",
        "family_name": "Alder",
        "identifier": "1001",
        "email": "u1001@maple.example",
        "grades": "09",
    },
    "classes": {
        "sourced_id": "990_1",
        "title": "Mathematics",
        "course_sourced_id": "MAT1",
        "class_type": "scheduled",
        "school_sourced_id": "990",
        "term_sourced_ids": "990_F",
        "grades": "09",
        "subjects": "Mathematics",
        "subject_codes": "02052",
        "periods": "1,3",
    },
    "enrollments": {
        "sourced_id": "990_1_1001",
        "class_sourced_id": "990_1",
        "school_sourced_id": "990",
        "user_sourced_id": "1001",
        "role": "student",
        "begin_date": "2026-08-12",
        "end_date": "2026-12-18",
    },
    "demographics": {
        "sourced_id": "1001",
        "birth_date": "2012-02-29",
        "sex": "female",
        "asian": "true",
        "country_of_birth_code": "US",
        "state_of_birth_abbreviation": "CA",
        "public_school_residence_status": "01652",
    },
}
"""One record per file with which nothing is wrong; together they refer to each other."""


GOOD_ROLE: Mapping[str, str] = {
    "sourced_id": "1001_990",
    "user_sourced_id": "1001",
    "role_type": "primary",
    "role": "student",
    "org_sourced_id": "990",
}
"""A record of roles.csv, which only OneRoster 1.2 has."""


def good(file: str, **changes: str | None) -> dict[str, str | None]:
    """A good record of a file, with some cells changed."""
    return {**(GOOD_ROLE if file == "roles" else GOOD[file]), **changes}


def gate_file(delivery_id: int, file: str, limit: Limit, *, in_full: bool = False) -> FileOutcome:
    """Have one file judged by its suite."""
    (outcome,) = gate_files(delivery_id, [file], Limits.alike(limit), in_full=in_full)
    return outcome


def deliver(
    url: str,
    files: Files,
    *,
    ragged: Sequence[Ragged] = (),
    modes: Mapping[str, str] | None = None,
) -> int:
    """Leave a landed delivery in the warehouse.

    Args:
        url: The warehouse.
        files: Rows per file; the first lies in line 2. A file that is not named was not sent.
        ragged: Records that could not be split into columns: file, line, first cell.
        modes: The manifest's word for some files; the others are bulk.

    Returns:
        The delivery's id.
    """
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into rollcall.district (district_id, name) values (%s, 'Maple') on conflict do nothing", [DISTRICT]
        )
        row = connection.execute(
            "insert into rollcall.delivery (district_id, service_date, run_id) values (%s, %s, gen_random_uuid())"
            " returning delivery_id",
            [DISTRICT, FIRST_NIGHT],
        ).fetchone()
        assert row
        delivery_id = int(row[0])
        land(connection, delivery_id, files)
        schema = f"delivery_{delivery_id}"
        for file, line, first_cell in ragged:
            connection.execute(
                f"insert into {schema}.ragged_row values (%s, %s, 'row_ragged', %s)", [line, file, first_cell]
            )
        for name, rows in files.items():
            count = sum(1 for file, _, _ in ragged if file == name)
            connection.execute(
                "insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes,"
                " mode, rows_landed, rows_ragged) values (%s, %s, %s, '', '', 0, %s, %s, %s)",
                [delivery_id, name, f"{name}.csv", (modes or {}).get(name, "bulk"), len(rows) + count, count],
            )
    return delivery_id


def publish(url: str, file: str, *source_ids: str) -> None:
    """Have the district's readers see records of an entity, as of sequence 1."""
    delivery_id = deliver(url, {})
    execute(
        url,
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)"
        " values (%s, 1, %s, %s, now()) on conflict do nothing",
        DISTRICT,
        delivery_id,
        FIRST_NIGHT,
    )
    table = FILE_BY_NAME[file].table_name
    keyed_by_year = table in ("academic_sessions", "classes", "enrollments")
    for source_id in source_ids:
        execute(
            url,
            f"insert into history.hist_{table} (district_id, source_id, valid_from_seq, row_hash"
            f"{', school_year' if keyed_by_year else ''})"
            f" values (%s, %s, 1, gen_random_uuid(){', 2027' if keyed_by_year else ''})",
            DISTRICT,
            source_id,
        )


def found(url: str, delivery_id: int, file: str) -> dict[int, dict[str, str]]:
    """The findings in a file's rows: code and severity, per line."""
    findings: dict[int, dict[str, str]] = {}
    rows = query(
        url,
        "select row_number, code, severity from rollcall.row_finding where delivery_id = %s and file = %s",
        delivery_id,
        file,
    )
    for line, code, severity in rows:
        assert code not in findings.get(line, {}), f"{code} was found twice in line {line}"
        findings.setdefault(line, {})[code] = severity
    return findings


def ledger(url: str) -> list[str]:
    """Everything that the gate writes, as text, without the time of the check."""
    return [
        *(row[0] for row in query(url, "select f::text from rollcall.row_finding as f order by 1")),
        *(
            row[0]
            for row in query(
                url,
                "select (delivery_id, file, code, severity, rows_checked, rows_failed)::text"
                " from rollcall.check_result order by 1",
            )
        ),
        *(
            row[0]
            for row in query(
                url,
                "select (delivery_id, file, rows_set_aside, verdict, verdict_reason)::text"
                " from rollcall.delivery_file order by 1",
            )
        ),
    ]
