"""A header row, matched to the standard's columns."""

import pytest

from rollcall.landing.header import Header, read_header
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
    assert found.lands_whole_lines
    assert found.width == 7
    assert (found.missing, found.missing_optional, found.unknown, found.miscased) == ((), (), (), ())


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
    assert found.lands_whole_lines
    assert found.miscased == ()


def test_names_are_matched_in_any_case_and_the_case_is_told() -> None:
    found = header(WHOLE.replace("sourcedId", "SOURCEDID").replace("name", "Name"))
    assert found.lands_whole_lines
    assert names(found.miscased) == ["sourcedId", "name"]


def test_columns_are_found_in_any_order() -> None:
    assert positions(header("type,name,sourcedId")) == {"type": 0, "name": 1, "sourcedId": 2}


def test_missing_columns_are_told_by_whether_they_are_required() -> None:
    found = header("sourcedId,status,dateLastModified,type,identifier")
    assert names(found.missing) == ["name"]
    assert names(found.missing_optional) == ["parentSourcedId"]


def test_empty_cells_at_the_end_do_not_count() -> None:
    found = header(WHOLE + ",,  ,")
    assert (found.width, found.unknown) == (7, ())
    assert found.lands_whole_lines


def test_an_empty_cell_in_between_is_a_cell() -> None:
    found = header("sourcedId,,name")
    assert found.width == 3
    assert found.unknown == (1,)
    assert positions(found) == {"sourcedId": 0, "name": 2}


def test_of_two_columns_of_one_name_the_first_counts() -> None:
    found = header("sourcedId,name,Name,type")
    assert positions(found)["name"] == 1
    assert found.unknown == (2,)


def test_unknown_columns_are_told_by_their_place() -> None:
    found = header("sourcedId,metadata.colour,name,type,x")
    assert found.unknown == (1, 4)
    assert not found.lands_whole_lines


def test_passwords_have_no_place_to_land() -> None:
    found = header("sourcedId,username,PassWord", "users")
    assert positions(found) == {"sourcedId": 0, "username": 1}
    assert found.unknown == ()
    assert not found.lands_whole_lines


@pytest.mark.parametrize("line", ["", "   ", ",,,"])
def test_an_empty_first_line_is_a_header_without_columns(line: str) -> None:
    found = header(line)
    assert (found.width, found.positions) == (0, ())
