"""What a build came to, and the two ways in which it cannot be made."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeOutcome:
    """How one dbt model or audit ended.

    Attributes:
        name: The node's name.
        kind: ``model``, ``test`` or ``operation``.
        status: dbt's word: ``success``, ``pass``, ``warn``, ``error``, ``skipped``.
        seconds: How long it took.
        rows: How many rows it wrote, where PostgreSQL said so.
        message: What went wrong, without a value in it.
    """

    name: str
    kind: str
    status: str
    seconds: float
    rows: int | None = None
    message: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the build cannot be used because of it. An audit that found something has not failed: it warns."""
        return self.status in ("error", "fail", "runtime error")


@dataclass(frozen=True)
class BuildOutcome:
    """How one build ended.

    Attributes:
        build_id: The build, in ``rollcall.build``.
        state: ``succeeded`` or ``failed``; a failed build of several deliveries was split, and its halves follow.
        published: The districts that now show the delivery that was built.
        failed: The districts that do not, and why.
        nodes: dbt's models and audits, in the order in which they ended.
    """

    build_id: int
    state: str
    published: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    nodes: list[NodeOutcome] = field(default_factory=list)


class BuildImpossibleError(Exception):
    """dbt could not do its work, for a reason that is no district's: nothing was published, run conform again."""


class LandedRowsLostError(Exception):
    """Accepted deliveries whose landed rows are gone and could not be landed again; they wait, the others were built.

    Attributes:
        delivery_ids: The deliveries.
    """

    def __init__(self, delivery_ids: list[int]) -> None:
        super().__init__(f"Not built, because their rows could not be landed again: deliveries {delivery_ids}.")
        self.delivery_ids = delivery_ids
