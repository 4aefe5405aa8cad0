"""What does not agree: one row for a person, without a word of what a file or a record says (law 7)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Something that is not as the ledger says.

    Attributes:
        district_id: Whose.
        code: What kind of difference it is.
        what: What differs, as an operator reads it.
        delivery_id: Of which delivery, if of one.
    """

    district_id: str
    code: str
    what: str
    delivery_id: int | None = None
