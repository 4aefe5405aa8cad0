"""From the rules to the suites: a file's rules put together, and every template filled in."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from rollcall.authoring.source import TEXTS, ColumnRules, FileRules, Rule, RuleError, Rules, Source, refuse_unknown
from rollcall.oneroster import FILE_BY_NAME, LANDED_FILES, LEADING_COLUMNS, TO_BE_DELETED, Column, File, snake_case
from rollcall.settings import PROJECT_ROOT
from rollcall.suites import DELIVERY_SUITE

FOLDER = PROJECT_ROOT / "expectations"
SOURCE = FOLDER / "rules"
MACROS = "macros.sql.j2"

FAILING_ROWS = "select _row, sourced_id from {batch} where "
FAILING_FILE = "select 1 as _row, null::text as sourced_id where "
FORM = {"great_expectations_version": version("great-expectations")}
ACROSS = "Across files, in the order in which errors are best fixed. Each rule says in meta.file whose rows it judges."
LISTS = ("list", "ids")


def render(folder: Path = SOURCE) -> dict[str, str]:
    """Every suite as Great Expectations reads it, by the name of its file.

    Args:
        folder: The folder of the rules.

    Raises:
        RuleError: a rule cannot be read or rendered, says too little, or speaks of what there is not.
    """
    source, templates = Source.read(folder), Templates(folder)
    refuse_unknown(DELIVERY_SUITE, source.delivery.files, FILE_BY_NAME)
    files = [FileSuite(file, source, templates) for file in LANDED_FILES]
    together = [expectation for file in files for expectation in file.among_files()]
    return {
        **{f"{suite.file.name}.json": suite.render() for suite in files},
        f"{DELIVERY_SUITE}.json": _suite(DELIVERY_SUITE, together, ACROSS),
    }


def write(folder: Path = FOLDER) -> None:
    """Write the suites.

    Args:
        folder: Where to.

    Raises:
        RuleError: as `render`; nothing was written.
    """
    for name, text in render().items():
        (folder / name).write_text(text, encoding="utf-8")


class Templates:
    """The texts of rules, filled in by Jinja, whose macros they share; a word that is not known is an error."""

    def __init__(self, folder: Path) -> None:
        self._jinja = Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined)  # noqa: S701 - no HTML
        self._jinja.filters["names"] = lambda columns: ", ".join(column.name for column in columns)
        self._jinja.globals["to_be_deleted"] = TO_BE_DELETED
        self._jinja.globals |= self._jinja.get_template(MACROS).module.__dict__

    def fill(self, text: str, words: Mapping[str, Any]) -> str:
        """A text with the words filled in."""
        return self._jinja.from_string(text).render(words)

    def sql(self, text: str, words: Mapping[str, Any]) -> str:
        """SQL in one line."""
        lines = (line.strip() for line in self.fill(text, words).splitlines())
        return " ".join(line for line in lines if line)


@dataclass(frozen=True)
class FileSuite:
    """What is asked of one file, put together from the rules for every file, for its columns, and of its own."""

    file: File
    source: Source
    templates: Templates

    def render(self) -> str:
        """The file's suite."""
        return _suite(self.file.name, self.alone(), self._own.notes)

    def alone(self) -> Iterator[dict[str, Any]]:
        """The expectations that look at this file only."""
        yield from self._of_every_file()
        for column in self._columns:
            for name, rule in self._of_column(column).items():
                yield self._expectation(f"{snake_case(column.name)}_{name}", rule)
        for name, rule in self._own.rules.items():
            yield self._expectation(name, rule)

    def among_files(self) -> Iterator[dict[str, Any]]:
        """The expectations that look at other files too."""
        delivery = self.source.delivery
        for name, rule in delivery.files.get(self.file.name, {}).items():
            reference = delivery.reference[self._column(rule.column).kind] if rule.names else Rule()
            yield self._expectation(name, reference.but(rule), self.file.name)

    @property
    def _own(self) -> FileRules:
        return self.source.files[self.file.name]

    @property
    def _columns(self) -> tuple[Column, ...]:
        """The columns that not every file has."""
        refuse_unknown(f"{self.file.name}: columns", self._own.columns, (column.name for column in self.file.columns))
        return self.file.landed_columns[len(LEADING_COLUMNS.split()) :]

    def _column(self, name: str | None) -> Column:
        refuse_unknown(self.file.name, [str(name)], (column.name for column in self.file.landed_columns))
        return next(column for column in self.file.landed_columns if column.name == name)

    def _said_of(self, column: Column) -> ColumnRules:
        return self._own.columns.get(column.name, ColumnRules())

    def _of_every_file(self) -> Iterator[dict[str, Any]]:
        refuse_unknown(f"{self.file.name}: every_file", self._own.every_file, self.source.every_file)
        for name, rule in self.source.every_file.items():
            if not rule.needs or self._words[rule.needs]:
                yield self._expectation(name, rule.but(self._own.every_file.get(name)))

    def _of_column(self, column: Column) -> Rules:
        """The rules of one column, by their names."""
        columns, said = self.source.columns, self._said_of(column)
        required = columns.required if column.required else {}
        shared = {**required, **columns.names.get(column.name, {}), **columns.kinds.get(column.kind, {})}
        refuse_unknown(f"{self.file.name}: {column.name}", (*said.rules, *said.without), shared)
        of_kind = self._own.kinds.get(column.kind, {})
        return {
            name: rule.but(of_kind.get(name), said.rules.get(name), Rule(column=column.name))
            for name, rule in shared.items()
            if name not in said.without
        }

    @cached_property
    def _words(self) -> dict[str, Any]:
        """What the templates of this file's rules may use."""
        sourced_id, status, *_ = self.file.columns
        missing = ((column, self._of_column(column).get("missing")) for column in self._columns)
        filled = [sourced_id, *(column for column, rule in missing if rule and rule.severity == "critical")]
        return {
            **self._own.words,
            "file": self.file,
            "content": self._columns,
            "must_be_filled": filled,
            "may_be_blank": [column for column in (status, *self._columns) if column not in filled],
            "lists": [column for column in self._columns if column.kind in LISTS],
        }

    def _words_of(self, rule: Rule) -> dict[str, Any]:
        """The same, and what the rule's column and the file that it names add."""
        words = dict(self._words)
        if rule.column:
            column = self._column(rule.column)
            said = self._said_of(column)
            words |= {"column": column, "cell": column.column_name, "values": said.values, "newer": said.newer}
        if rule.names:
            refuse_unknown("names", [rule.names], FILE_BY_NAME)
            words["named"] = FILE_BY_NAME[rule.names]
        return words

    def _expectation(self, name: str, rule: Rule, file: str | None = None) -> dict[str, Any]:
        """A rule as Great Expectations reads it.

        Args:
            name: Of what its code is made.
            rule: The rule.
            file: Whose rows it judges, where the suite is not that file's own.
        """
        code = name if rule.whole_file else f"{self.file.table_name}_{rule.code or name}"
        try:
            rule.refuse_unsaid()
            words = self._words_of(rule)
            form, arguments = self._form(rule, words)
            texts = {text: self.templates.fill(getattr(rule, text), words) for text in TEXTS}
        except (TemplateError, RuleError) as error:
            raise RuleError(f"{code}: {error}") from None
        places = {"column": rule.column, "file": file, "names": rule.names, "page": rule.page, "scope": rule.judges_by}
        places |= {"alike": rule.alike, "sent_as": rule.sent_as}
        meta = {"code": code, "message": texts["message"], **{key: place for key, place in places.items() if place}}
        return {"type": form, "kwargs": arguments, "severity": rule.severity, "meta": meta | texts}

    def _form(self, rule: Rule, words: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The type of a rule's expectation, and its arguments."""
        if rule.expect:
            arguments = {name: argument for name, argument in rule.expect.items() if name != "type"}
            return rule.expect["type"], {"column": words["cell"], **arguments}
        if rule.rows:
            return "expect_no_rows_where", {"condition": self.templates.sql(rule.rows, words)}
        queries = (FAILING_ROWS, rule.among_rows), (FAILING_FILE, rule.whole_file), ("", rule.query)
        query = next(start + said for start, said in queries if said)
        return "expect_no_rows_from", {"unexpected_rows_query": braces_kept(self.templates.sql(query, words))}


def braces_kept(query: str) -> str:
    """A query in which Great Expectations finds no other braces to fill than those of ``{batch}``."""
    return query.replace("{", "{{").replace("}", "}}").replace("{{batch}}", "{batch}")


def _suite(name: str, expectations: Iterable[dict[str, Any]], notes: str) -> str:
    """A suite's JSON."""
    document = {"name": name, "expectations": list(expectations), "meta": FORM, "notes": notes}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
