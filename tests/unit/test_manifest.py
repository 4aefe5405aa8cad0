"""manifest.csv: lenient in form, never lenient where it could delete."""

import pytest

from rollcall.archive.manifest import read_modes, with_modes
from rollcall.ledger import DeliveryFile

PLAIN = b"propertyName,value\r\nmanifest.version,1.0\r\nfile.users,bulk\r\nfile.orgs,delta\r\nfile.classes,absent\r\n"


def file(name: str) -> DeliveryFile:
    return DeliveryFile(1, name, f"{name}.csv", "", "", 0)


def modes(content: bytes, *names: str) -> dict[str, str]:
    return {one.file: one.mode for one in with_modes([file(name) for name in names], read_modes(content))}


def test_modes_are_read() -> None:
    assert read_modes(PLAIN) == {"users": "bulk", "orgs": "delta", "classes": "absent"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.upper(),
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b",", b" , "),
        PLAIN.replace(b"file.users,bulk", b'"file.users","bulk",""'),
    ],
)
def test_the_form_does_not_matter(content: bytes) -> None:
    assert read_modes(content) == {"users": "bulk", "orgs": "delta", "classes": "absent"}


def test_names_and_values_that_the_standard_does_not_know_are_left_out() -> None:
    assert read_modes(b"file.users,all\nfile.results,bulk\nfile.orgs\nnonsense\n") == {}


def test_only_a_file_that_the_manifest_calls_bulk_is_bulk() -> None:
    assert modes(PLAIN, "users", "orgs", "classes", "courses") == {
        "users": "bulk",
        "orgs": "delta",
        "classes": "delta",
        "courses": "delta",
    }


def test_files_that_are_none_of_the_standards_keep_their_mode() -> None:
    assert modes(PLAIN, "manifest", "results.csv") == {"manifest": "bulk", "results.csv": "bulk"}


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b'"never closed', PLAIN[:40]])
def test_a_broken_manifest_says_nothing_wrong(content: bytes) -> None:
    assert read_modes(content) == {}
