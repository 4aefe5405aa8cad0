"""What does not agree: one row for a person, without a word of what a file or a record says (law 7)."""

from dataclasses import dataclass

FORGOTTEN = "forgotten"
"""The code of what differs because a person was forgotten."""


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

    @property
    def is_in_order(self) -> bool:
        """Whether it is as a person had it done, so that nothing is to be put right."""
        return self.code == FORGOTTEN
