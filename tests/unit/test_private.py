"""Files and folders that are for their owner alone."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollcall import private
from rollcall.archive.store import Archive, close_archive


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """The worst case: a umask that keeps nothing from anybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(root: Path) -> dict[str, int]:
    """The rights on a folder and everything in it, by path."""
    paths = [root, *root.rglob("*")]
    return {str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode) for path in paths}


def make_open(root: Path) -> None:
    """A tree as earlier versions left it."""
    (root / "maple" / "ab").mkdir(parents=True)
    (root / "maple" / "ab" / "content").write_bytes(b"x")
    (root / "run.sh").touch(0o755)


def test_what_is_made_is_the_owners_whatever_the_umask(tmp_path: Path) -> None:
    private.make_folder(tmp_path / "a" / "b")
    private.write_private(tmp_path / "a" / "b" / "text", "x")
    private.create(tmp_path / "a" / "new").close()
    private.append(tmp_path / "a" / "log").close()
    assert modes(tmp_path / "a") == {".": 0o700, "b": 0o700, "b/text": 0o600, "new": 0o600, "log": 0o600}


def test_a_file_that_is_replaced_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"half"
        raise KeyError

    private.write_private(tmp_path / "text", "old")
    with pytest.raises(KeyError):
        private.replace(tmp_path / "text", breaks_off())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"text": "old"}


def test_what_was_open_is_closed(tmp_path: Path) -> None:
    make_open(tmp_path / "archive")
    (tmp_path / "outside").touch(0o666)
    (tmp_path / "archive" / "link").symlink_to(tmp_path / "outside")
    close_archive((tmp_path / "archive").as_uri())
    found = modes(tmp_path / "archive")
    assert found.pop("link") == 0o777, "of a link nothing is asked"
    assert found == {".": 0o700, "maple": 0o700, "maple/ab": 0o700, "maple/ab/content": 0o600, "run.sh": 0o700}
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o666


def test_closing_that_was_broken_off_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder itself is closed last: while it is open, there may be more to do."""
    make_open(tmp_path / "archive")
    real = Path.chmod

    def chmod(self: Path, mode: int) -> None:
        if self.name == "content":
            raise KeyboardInterrupt
        real(self, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", chmod)
        with pytest.raises(KeyboardInterrupt):
            private.close_to_others(tmp_path / "archive")
    private.close_to_others(tmp_path / "archive")
    assert not [name for name, mode in modes(tmp_path / "archive").items() if mode & private.OTHERS]


def test_some_rights_on_the_folder_itself_may_stay(tmp_path: Path) -> None:
    make_open(tmp_path / "state")
    (tmp_path / "state" / "postgres").mkdir(0o750)
    private.close_to_others(tmp_path / "state", but=[tmp_path / "state" / "postgres"], but_for=stat.S_IXGRP)
    found = modes(tmp_path / "state")
    assert (found["."], found["postgres"], found["maple/ab/content"]) == (0o710, 0o750, 0o600)


def test_an_archive_of_an_earlier_version_is_closed_by_its_first_use(tmp_path: Path) -> None:
    make_open(tmp_path / "archive")
    Archive((tmp_path / "archive").as_uri(), "maple").write_index("receipts/x.html", "x")
    found = modes(tmp_path / "archive")
    assert (found["."], found["maple"], found["maple/receipts"], found["maple/receipts/x.html"]) == (
        0o700,
        0o700,
        0o700,
        0o600,
    )
