"""Files of other kinds, told by their first bytes."""

import pytest

from rollcall.landing.formats import OF_KIND
from rollcall.signatures import LONGEST, SIGNATURES, Kind, kind_of


@pytest.mark.parametrize(("signature", "kind"), SIGNATURES, ids=lambda value: str(value))
def test_every_kind_is_told_by_its_first_bytes_and_has_a_finding(signature: bytes, kind: Kind) -> None:
    assert kind_of((signature + b"more")[:LONGEST]) is kind
    assert kind_of(signature[:-1]) is None
    assert OF_KIND[kind].severity == "critical"


def test_text_is_of_no_kind() -> None:
    assert kind_of(b"sourcedId,status") is None
    assert kind_of(b"") is None


def test_no_kind_is_without_bytes() -> None:
    assert {kind for _, kind in SIGNATURES} == set(Kind) == set(OF_KIND)
