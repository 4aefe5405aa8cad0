"""Whether the archive tells what was decided as the ledger does."""

import hashlib
from collections.abc import Iterator

from rollcall.archive.decisions import newest_versions, read_document
from rollcall.archive.store import Archive
from rollcall.recovery.differences import Difference
from rollcall.warehouse import Connection

_WRITTEN = "select name, version, digest::text from rollcall.decision_entry where district_id = %s order by name"


def differences_of_decisions(connection: Connection, district_id: str) -> Iterator[Difference]:
    """Read every document that the ledger says was written, and name those that it does not know.

    Args:
        connection: Any connection to the ledger.
        district_id: The district.
    """
    archive = Archive.of(district_id)
    newest = newest_versions(archive)
    for name, version, digest in connection.execute(_WRITTEN, [district_id]).fetchall():
        newer = newest.pop(name, version)
        if newer > version:
            what = f"The archive tells more of {name} than the ledger: was the warehouse restored from before that?"
            yield Difference(district_id, "decision_unknown", what)
        text = read_document(archive, name, version)
        if text is None:
            yield Difference(district_id, "decision_missing", f"{name} (version {version}) is not in the archive.")
        elif hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != digest.replace("-", ""):
            what = f"{name} (version {version}) is not in the archive as it was written."
            yield Difference(district_id, "decision_differs", what)
    for name in sorted(newest):
        what = f"The archive tells of {name}, and the ledger does not: was the warehouse restored from before that?"
        yield Difference(district_id, "decision_unknown", what)
