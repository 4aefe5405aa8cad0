"""manifest.csv: lenient in form, strict in what is reported, never lenient where it could delete."""

import pytest

from rollcall.arrival.manifest import REQUIRED, disagreements, read_manifest, with_modes
from rollcall.ledger import DeliveryFile

PLAIN = b"propertyName,value\r\nmanifest.version,1.0\r\nfile.users,bulk\r\nfile.orgs,delta\r\nfile.classes,absent\r\n"
WHOLE = "propertyName,value\n" + "".join(
    f"{name},{'1.1' if name == 'oneroster.version' else '1.0' if 'version' in name else 'absent'}\n"
    for name in REQUIRED
)


def files(*names: str) -> list[DeliveryFile]:
    return [DeliveryFile(1, name, f"{name}.csv", "", "", 0) for name in names]


def modes(content: bytes | None, *names: str) -> dict[str, str]:
    manifest = None if content is None else read_manifest(content)
    return {one.file: one.mode for one in with_modes(files(*names), manifest)}


def notes(content: str, *names: str) -> set[tuple[str, str]]:
    """Code and file of everything that is noted of a manifest and the files beside it."""
    manifest = read_manifest(content.encode())
    return {(found.code, found.file) for found in (*manifest.findings, *disagreements(files(*names), manifest))}


def saying(**wanted: str) -> str:
    """A whole manifest in which some files have a mode."""
    text = WHOLE
    for name, mode in wanted.items():
        text = text.replace(f"file.{name},absent", f"file.{name},{mode}")
    return text


def test_modes_are_read() -> None:
    assert read_manifest(PLAIN).modes == {"users": "bulk", "orgs": "delta", "classes": "absent"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.upper(),
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"\r\n", b"\r"),
        PLAIN.replace(b",", b" , "),
        PLAIN.replace(b"file.users,bulk", b'"file.users","bulk",""'),
        PLAIN.decode().encode("utf-16"),
    ],
)
def test_the_form_does_not_matter(content: bytes) -> None:
    assert read_manifest(content).modes == {"users": "bulk", "orgs": "delta", "classes": "absent"}


def test_a_whole_manifest_that_fits_says_nothing() -> None:
    assert notes(saying(users="bulk", orgs="delta"), "users", "orgs") == set()


def test_only_a_file_that_the_manifest_calls_bulk_is_bulk() -> None:
    assert modes(PLAIN, "users", "orgs", "classes", "courses", "roles") == {
        "users": "bulk",
        "orgs": "delta",
        "classes": "delta",
        "courses": "delta",
        "roles": "delta",
    }


def test_without_a_manifest_every_file_is_bulk() -> None:
    assert modes(None, "users", "orgs") == {"users": "bulk", "orgs": "bulk"}


def test_files_that_are_none_of_the_standards_keep_their_mode() -> None:
    assert modes(PLAIN, "manifest", "results.csv") == {"manifest": "bulk", "results.csv": "bulk"}


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b'"never closed', b"x" * 200_000, PLAIN[:20]])
def test_a_manifest_that_cannot_be_read_makes_nothing_bulk(content: bytes) -> None:
    manifest = read_manifest(content)
    assert [found.code for found in manifest.findings] == ["manifest_unreadable"]
    assert not manifest.announces_nothing
    assert modes(content, "users") == {"users": "delta"}


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        (saying(users="all"), ("users",), ("manifest_mode_unknown", "users")),
        (saying(users="bulk") + "file.users,delta\n", ("users",), ("manifest_property_twice", "users")),
        (WHOLE, ("users",), ("manifest_file_not_listed", "users")),
        (saying(users="bulk"), (), ("manifest_file_missing", "users")),
        (saying(results="bulk"), (), ("manifest_file_missing", "manifest")),
        (WHOLE.replace("oneroster.version,1.1", "oneroster.version,2.0"), (), ("manifest_version", "manifest")),
        (WHOLE.replace("file.users,absent\n", ""), (), ("manifest_property_missing", "manifest")),
    ],
)
def test_what_is_wrong_is_noted_once(text: str, names: tuple[str, ...], expected: tuple[str, str]) -> None:
    assert notes(text, *names) == {expected}


@pytest.mark.parametrize("text", [saying(users="all"), saying(users="bulk") + "file.users,delta\n", WHOLE])
def test_law_5_a_mode_that_is_not_clear_is_never_bulk(text: str) -> None:
    assert modes(text.encode(), "users") == {"users": "delta"}


def test_the_same_line_twice_is_no_contradiction() -> None:
    assert notes(saying(users="bulk") + "file.users,bulk\n", "users") == set()
    assert modes((saying(users="bulk") + "FILE.users,Bulk\n").encode(), "users") == {"users": "bulk"}


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.2.1"])
def test_known_versions_are_no_finding(version: str) -> None:
    assert notes(WHOLE.replace("oneroster.version,1.1", f"oneroster.version,{version}")) == set()


@pytest.mark.parametrize(
    ("text", "nothing"),
    [(WHOLE, True), ("manifest.version,1.0\n", True), (saying(results="bulk"), True), (saying(users="delta"), False)],
)  # fmt: skip
def test_a_manifest_may_announce_nothing(text: str, nothing: bool) -> None:
    assert read_manifest(text.encode()).announces_nothing is nothing


def test_what_is_missing_is_named() -> None:
    manifest = read_manifest(b"manifest.version,1.0\noneroster.version,1.1\n")
    assert manifest.findings[0].detail is not None
    assert manifest.findings[0].detail.startswith("Missing: file.orgs, file.academicSessions")
