"""A header row, matched to the standard's columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.landing import formats
from rollcall.landing.header import Header, read_header
from rollcall.landing.header_findings import header_findings
from rollcall.oneroster import FILE_BY_NAME

ORGS = FILE_BY_NAME["orgs"]
WHOLE = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"


def header(line: str, file: str = "orgs") -> Header:
    return read_header(line.encode(), FILE_BY_NAME[file])


def positions(found: Header) -> dict[str, int]:
    return {column.name: index for column, index in found.positions}


def names(columns: tuple[object, ...]) -> list[str]:
    return [column.name for column in columns]  # type: ignore[attr-defined]


def test_the_standards_header_lands_whole_lines() -> None:
    found = header(WHOLE)
    assert found.surplus == 0
    assert found.width == 7
    assert (found.missing, found.unknown, found.miscased, found.unclean, found.duplicated) == ((), (), (), (), ())
    assert found.out_of_order is None


@pytest.mark.parametrize(
    "line",
    [
        "\ufeff" + WHOLE,
        WHOLE.replace(",", " , "),
        WHOLE.replace("status", "\u200bstatus\xa0"),
        ",".join(f'"{cell}"' for cell in WHOLE.split(",")),
    ],
)
def test_what_exports_leave_around_names_does_not_count(line: str) -> None:
    found = header(line)
    assert found.surplus == 0
    assert found.miscased == ()


def test_names_are_matched_in_any_case_and_the_case_is_told() -> None:
    found = header(WHOLE.replace("sourcedId", "SOURCEDID").replace("name", "Name"))
    assert found.surplus == 0
    assert names(found.miscased) == ["sourcedId", "name"]


def test_columns_are_found_in_any_order() -> None:
    assert positions(header("type,name,sourcedId")) == {"type": 0, "name": 1, "sourcedId": 2}


def test_missing_columns_are_told() -> None:
    assert names(header("sourcedId,status,dateLastModified,type,identifier").missing) == ["name", "parentSourcedId"]


def test_the_first_column_out_of_order_is_told() -> None:
    found = header("sourcedId,type,name,identifier,status")
    assert found.out_of_order is not None
    assert found.out_of_order.name == "name"


def test_empty_cells_at_the_end_do_not_count() -> None:
    found = header(WHOLE + ",,  ,")
    assert (found.width, found.unknown) == (7, ())
    assert found.surplus == 0


def test_an_empty_cell_in_between_is_a_cell() -> None:
    found = header("sourcedId,,name")
    assert found.width == 3
    assert found.unknown == (1,)
    assert positions(found) == {"sourcedId": 0, "name": 2}


def test_of_two_columns_of_one_name_the_first_counts() -> None:
    found = header("sourcedId,name,Name,type")
    assert positions(found)["name"] == 1
    assert (names(found.duplicated), found.unknown, found.further) == (["name"], (), ())
    assert found.surplus != 0


def test_columns_that_the_standard_does_not_know_are_kept_by_name() -> None:
    found = header("sourcedId,metadata.colour,name,type,x,,x,metadata.y")
    assert (found.unknown, found.misplaced) == ((4, 5, 6), (1,))
    assert found.further == (("metadata.colour", 1), ("x", 4), ("cell 6", 5), ("cell 7", 6), ("metadata.y", 7))
    assert found.surplus != 0


def test_columns_of_1_2_are_kept_and_nothing_to_speak_of() -> None:
    found = header("sourcedId,username,userMasterIdentifier,pronouns", "users")
    assert found.unknown == ()
    assert found.further == (("userMasterIdentifier", 2), ("pronouns", 3))


@pytest.mark.parametrize("name", ["metadata.password", "Initial Password", "pass\u200bword2"])
def test_law_7_no_column_that_may_hold_passwords_is_kept(name: str) -> None:
    assert header(f"sourcedId,{name}", "users").further == ()


def test_nobody_is_asked_to_send_passwords() -> None:
    found = header_findings(header("sourcedId,username,role", "users"), has_roles=False)
    told = {place.column for finding in found for place in finding.places}
    assert "email" in told
    assert "password" not in told


def test_names_of_1_0_are_read_where_the_name_of_1_1_is_not_there() -> None:
    found = header("userSourcedId,birthdate", "demographics")
    assert positions(found) == {"sourcedId": 0, "birthDate": 1}
    assert [(column.name, old) for column, old in found.renamed] == [("sourcedId", "userSourcedId")]
    assert found.names_id
    both = header("sourcedId,userSourcedId", "demographics")
    assert (positions(both), both.renamed, both.unknown) == ({"sourcedId": 0}, (), (1,))


def test_a_misspelt_column_is_recognised() -> None:
    found = header(WHOLE.replace("dateLastModified", "dataLastModified"))
    column = found.looks_like(2)
    assert column is not None
    assert column.name == "dateLastModified"
    assert header(WHOLE + ",homePhone").looks_like(7) is None


def test_law_7_cells_are_quoted_only_where_the_row_is_a_header_beyond_doubt() -> None:
    assert header(WHOLE + ",homePhone").name_of(7) == "homePhone"
    assert header("sourcedId,Ann Alder,x").name_of(1) == "cell 2"
    assert header(WHOLE + "," + ",".join(f"c{n}" for n in range(8))).name_of(7) == "cell 8"
    assert header(WHOLE + ",,x").name_of(7) == "cell 8"
    assert len(header(WHOLE + "," + "y" * 500).name_of(7)) == 60


def test_invisible_characters_are_passed_over_anywhere_and_told() -> None:
    found = header("\u200bsourced\u00adId, status,dateLast\tModified,name,type,first name,parentSourcedId\u00a0")
    assert list(positions(found)) == ["sourcedId", "status", "dateLastModified", "name", "type", "parentSourcedId"]
    assert found.unclean == (0, 1, 2, 6)
    assert found.miscased == ()


@given(line=st.binary(max_size=200), file=st.sampled_from(sorted(FILE_BY_NAME)))
def test_any_bytes_are_a_header_of_some_kind(line: bytes, file: str) -> None:
    found = read_header(line, FILE_BY_NAME[file])
    told = [formats.of_text(line.decode(errors="replace")), formats.of_header(line.decode(errors="replace"), found)]
    told += header_findings(found, has_roles=False)
    assert formats.without_header(found).severity == "critical"
    assert formats.version_of(found) in ("1.0", "1.1", "1.2")
    assert all(finding.message for finding in told if finding)
    assert not any("\0" in f"{place.column}{place.detail}" for finding in told if finding for place in finding.places)


def test_passwords_have_no_place_to_land() -> None:
    found = header("sourcedId,username,PassWord", "users")
    assert positions(found) == {"sourcedId": 0, "username": 1}
    assert found.unknown == ()
    assert found.surplus == 1
    assert header("sourcedId,password,username", "users").surplus is None


@pytest.mark.parametrize("line", ["", "   ", ",,,"])
def test_an_empty_first_line_is_a_header_without_columns(line: str) -> None:
    found = header(line)
    assert (found.width, found.positions) == (0, ())
