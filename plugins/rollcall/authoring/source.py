"""The rules as they are written: ``expectations/rules/*.yaml``, typed and validated."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rollcall.codes import Severity
from rollcall.oneroster import LANDED_FILE_NAMES, Kind
from rollcall.suites import DELIVERY_SUITE, Scope, SentAs
from rollcall.yaml_text import read_yaml

Form = TypeVar("Form")

TEXTS = ("message", "example", "fix", "why")
"""What a rule says to people."""

JUDGED = ("expect", "rows", "among_rows", "whole_file", "query")
"""How a rule judges rows: in one of these ways."""


class RuleError(Exception):
    """A rule that cannot be used; the message names the file, the rule and the reason."""


class _Strict(BaseModel):
    """A part of a file of rules: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """A rule: whole, or only what it says differently from the one that it stands on. Every text is a template.

    Attributes:
        code: What stands for the column and the rule's own name in its code, which begins with the file.
        severity: What a failing row means.
        column: The column to look at, in the standard's spelling.
        page: Where ``docs/rules/`` explains it, if not with its file.
        needs: The group of columns (``lists``) without which a file is not asked.
        sent_as: The only way of being sent in which a file is asked; any, where it is not said.
        names: The file whose records the column names; the rule then stands on `DeliveryRules.reference`.
        scope: What a row's judgement hangs on, where the way of judging does not say it (see `rollcall.gate.rules`).
        alike: SQL, the text of a row that it must share with others for the rule to judge them together; the rule looks
            at no other rows.
        expect: An expectation of Great Expectations' own: its type, and its arguments but for the column.
        rows: SQL, what a failing row fulfils, judged by its own cells.
        among_rows: SQL, what a failing row fulfils beside other rows, or other files.
        whole_file: SQL, what is so when the file as a whole fails.
        query: SQL, the failing rows, where a condition cannot tell them.
        message: What is wrong and what to do about it, for a district's data manager.
        example: A made-up row that breaks it.
        fix: How to fix it in Aeries.
        why: Why it has this severity.
    """

    code: str | None = None
    severity: Severity | None = None
    column: str | None = None
    page: str | None = None
    needs: str | None = None
    sent_as: SentAs | None = None
    names: str | None = None
    scope: Scope | None = None
    alike: str | None = None
    expect: dict[str, Any] | None = None
    rows: str | None = None
    among_rows: str | None = None
    whole_file: str | None = None
    query: str | None = None
    message: str | None = None
    example: str | None = None
    fix: str | None = None
    why: str | None = None

    def but(self, *others: "Rule | None") -> "Rule":
        """This rule, with what others say differently; the last one's word counts."""
        said = [other.model_dump(exclude_unset=True) for other in others if other]
        return self.model_copy(update={key: value for other in said for key, value in other.items()})

    @property
    def judges_by(self) -> Scope:
        """What a row's judgement hangs on; without a word about it, on anything in the delivery."""
        if self.scope:
            return self.scope
        if self.alike:
            return "alike"
        if self.whole_file:
            return "any_row"
        if self.expect or self.rows:
            return "row"
        return "references" if self.names else "file"

    def refuse_unsaid(self) -> None:
        """Raise where a whole rule does not say all that it must.

        Raises:
            RuleError: it names what is missing.
        """
        unsaid = [name for name in ("severity", *TEXTS) if not getattr(self, name)]
        if unsaid:
            raise RuleError(f"it says no {' and no '.join(unsaid)}")
        judged = [name for name in JUDGED if getattr(self, name)]
        if len(judged) != 1:
            raise RuleError(f"it says {' and '.join(judged) or 'none'}, where one of {', '.join(JUDGED)} is wanted")


Rules = dict[str, Rule]
"""Rules by their own names, in the order in which they are asked."""


class ColumnRules(BaseModel):
    """What a file says of one column: by the rule's name, what differs from `SharedRules`.

    Attributes:
        values: The spellings that an enumeration may have, as the standard has them.
        newer: Values of OneRoster 1.2 that are taken as they are.
        without: Rules that are not asked of this column.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: Rules = Field(init=False)

    values: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def rules(self) -> Rules:
        """What differs."""
        return self.__pydantic_extra__


class FileRules(_Strict):
    """``<file>.yaml``: what concerns one file only.

    Attributes:
        notes: What Great Expectations shows of the suite.
        words: The file's own words, for the templates: ``record``, ``id``, ``place``.
        every_file: What it says differently from ``every_file.yaml``.
        kinds: The same of the rules for columns of a kind.
        columns: The same column by column.
        rules: Rules that no other file has.
    """

    notes: str
    words: dict[str, str]
    every_file: Rules = {}
    kinds: dict[Kind, Rules] = {}
    columns: dict[str, ColumnRules] = {}
    rules: Rules = {}


class SharedRules(_Strict):
    """``columns.yaml``: what is asked of a column, whichever file it is in.

    Attributes:
        required: Asked of a column that must be filled.
        names: Asked of the columns of a name.
        kinds: Asked of the columns of a kind.
    """

    required: Rules
    names: dict[str, Rules]
    kinds: dict[Kind, Rules]


class DeliveryRules(_Strict):
    """``delivery.yaml``: what is asked of several files together.

    Attributes:
        reference: What a column that names records of another file is asked, by its kind: ``id`` or ``ids``.
        files: The rules by the file whose rows they judge.
    """

    reference: dict[Kind, Rule]
    files: dict[str, Rules]


@dataclass(frozen=True)
class Source:
    """The folder of rules, read."""

    every_file: Rules
    columns: SharedRules
    files: dict[str, FileRules]
    delivery: DeliveryRules

    @classmethod
    def read(cls, folder: Path) -> "Source":
        """The rules of a folder.

        Args:
            folder: Such as ``expectations/rules``.

        Raises:
            RuleError: a file is missing or no YAML, or holds what no rule has.
        """
        return cls(
            every_file=_read(folder / "every_file.yaml", Rules),
            columns=_read(folder / "columns.yaml", SharedRules),
            files={name: _read(folder / f"{name}.yaml", FileRules) for name in LANDED_FILE_NAMES},
            delivery=_read(folder / f"{DELIVERY_SUITE}.yaml", DeliveryRules),
        )


def refuse_unknown(where: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise where something is said of what there is not.

    Raises:
        RuleError: it names the first unknown one, and the known ones.
    """
    choices = list(known)
    for name in given:
        if name not in choices:
            raise RuleError(f"{where}: there is no {name} here, only {', '.join(choices) or 'nothing'}")


def _read(path: Path, form: type[Form]) -> Form:
    try:
        return TypeAdapter(form).validate_python(read_yaml(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise RuleError(f"{path.name}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RuleError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
