"""What of a stack goes into a backup besides its databases, and where a backup is put back."""

import hashlib
import stat
from pathlib import Path

import pytest

from rollcall.recovery.manifest import BackupError, Manifest
from rollcall.recovery.place import ServerPlace, pack, place_here, unpack
from rollcall.settings import working_on
from rollcall.stack.server_init import write_accounts


def on_server(monkeypatch: pytest.MonkeyPatch, folder: Path) -> ServerPlace:
    monkeypatch.setenv("ROLLCALL_SERVER_ACCOUNTS_DIR", str(folder))
    monkeypatch.setenv("ROLLCALL_SERVER_ADMIN_PASSWORD", "long enough for it")
    place = place_here()
    assert isinstance(place, ServerPlace)
    return place


def test_a_servers_logins_and_keys_are_those_from_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, after, packed = tmp_path / "before", tmp_path / "after", tmp_path / "accounts.tar"
    before.mkdir()
    (tmp_path / "districts").mkdir()
    (tmp_path / "districts" / "maple.yaml").write_text("name: Maple\n")
    with working_on(districts_dir=tmp_path / "districts"):
        write_accounts(before)
        pack(packed, on_server(monkeypatch, before).accounts())
        assert stat.S_IMODE(packed.stat().st_mode) == 0o600
        restored = on_server(monkeypatch, after)
        assert not restored.has_accounts()
        restored.take_accounts(unpack(packed))
        assert restored.has_accounts()
        write_accounts(after)
    for name in ("logins.tsv", "keys.tsv", "host_key"):
        assert (after / name).read_text() == (before / name).read_text(), name


def test_a_backup_without_its_manifest_or_with_another_part_is_none(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"as it was")
    with pytest.raises(BackupError, match="written last"):
        Manifest.read(tmp_path)
    part = {"sha256": hashlib.sha256(b"as it was").hexdigest(), "size": 9}
    about = {"taken_at": "2026-11-29T12:00:00Z", "stack": "server", "rollcall": "0.1.0", "migration": "0024"}
    manifest = Manifest.model_validate(about | {"postgresql": "18.4", "with_archive": False, "parts": {"part": part}})
    manifest.write(tmp_path)
    Manifest.read(tmp_path).check(tmp_path)
    (tmp_path / "part").write_bytes(b"as it is!")
    with pytest.raises(BackupError, match="part is not as it was written"):
        Manifest.read(tmp_path).check(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(BackupError, match="newer version"):
        Manifest.read(tmp_path)
