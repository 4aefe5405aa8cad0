"""Sequences of nights: a tiny district that changes, sends its files in many ways, and makes mistakes."""

import csv
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from helpers.csv_files import csv_bytes, manifest_bytes
from hypothesis import strategies as st

from rollcall.oneroster import FILE_BY_NAME, FILE_NAMES
from simulator.night import write_night
from simulator.profile import Profile, Rates
from simulator.spoil import spoil

FIRST_NIGHT = date(2024, 10, 1)
LONGEST_DAYS = 700
"""So long ago is the first night, and so short is a story, that all its nights have come."""

Record = dict[str, str]
Records = dict[str, dict[str, Record]]
Mode = Literal["bulk", "delta", "absent", "header only", "forgotten"]
Answer = Literal["approved", "discarded", "none"]

ELSEWHERE: dict[str, dict[str, tuple[str, ...]]] = {
    "orgs": {"name": ("Oak", "Elm"), "type": ("school", "department")},
    "academicSessions": {"title": ("Autumn", "Winter"), "endDate": ("2024-10-02", "2024-12-18")},
    "courses": {"title": ("Art", "Music"), "grades": ("07", "07,08", "")},
    "users": {
        "role": ("student", "teacher", "aide", "Student"),
        "orgSourcedIds": ("S1", "S2", "S1, S2"),
        "familyName": ("Birch", "Cedar"),
    },
    "classes": {"schoolSourcedId": ("S1", "S2"), "termSourcedIds": ("T1", "T2", "T1, T2", "T9,T2", "T9", "")},
    "enrollments": {
        "classSourcedId": ("K1", "K2", "K3"),
        "endDate": ("", "2024-10-02", "2024-10-03"),
        "primary": ("true", "false"),
    },
    "demographics": {"sex": ("male", "female", ""), "birthDate": ("2012-02-29", ""), "asian": ("true", "false", "")},
}
"""What may change in a record, by file and column."""

BROKEN = {
    "orgs": {"sourcedId": "", "name": "", "type": "castle"},
    "academicSessions": {"sourcedId": "", "type": "decade", "startDate": "2024-02-30"},
    "courses": {"sourcedId": ""},
    "users": {"sourcedId": "", "role": "wizard", "enabledUser": "perhaps"},
    "classes": {"sourcedId": "", "schoolSourcedId": "S9"},
    "enrollments": {
        "sourcedId": "",
        "userSourcedId": "P9",
        "classSourcedId": "K9",
        "beginDate": "2024-13-01",
        "role": "",
    },
    "demographics": {"sourcedId": "", "birthDate": "2024-02-30", "white": "mostly"},
}
"""Cells with which a record cannot be used."""


BROKEN_FOR_LONG = {
    file: {column: (cell,) for column, cell in cells.items() if len(cells) == 1 or column != "sourcedId"}
    for file, cells in BROKEN.items()
}
"""Cells that a record keeps until it changes again: what was found about it stands for several nights."""


@dataclass(frozen=True)
class Edit:
    """Something that happens to a record before a night; ``number`` and ``choice`` pick among what there is."""

    how: Literal["change", "break", "remove", "mark", "return", "add", "next year"]
    file: str
    number: int
    choice: int


@dataclass(frozen=True)
class Slip:
    """Something wrong with what is sent in one night."""

    how: Literal["cell", "twice", "ragged", "longer", "blank line", "unknown id"]
    file: str
    number: int
    choice: int


@dataclass(frozen=True)
class Night:
    """One night of a district.

    Attributes:
        modes: How each file is sent; with a manifest where one is not simply bulk.
        again: Send what was sent so many nights ago instead; 0 for something of its own.
        answer: What a person says to a hold that is open in the morning.
    """

    edits: tuple[Edit, ...] = ()
    slips: tuple[Slip, ...] = ()
    modes: tuple[Mode, ...] = ("bulk",) * len(FILE_NAMES)  # type: ignore[assignment]  # a Literal is lost by *
    again: int = 0
    days: int = 1
    answer: Answer = "none"


@dataclass(frozen=True)
class Story:
    """A district and its nights.

    Attributes:
        kind: Which limits it has: none at all; none, but a person looks at its first delivery; no row may be set aside.
        inclusive: Whether an enrollment's end date is its last day.
        seed: Where it is not the tiny district but one of the simulator: which.
        spoiled: How the simulator's nights are spoiled.
    """

    kind: Literal["lenient", "first held", "strict"]
    inclusive: bool
    nights: tuple[Night, ...]
    seed: int = 0
    spoiled: tuple[str, ...] = field(default=())

    def deliveries(self) -> Iterator[tuple[date, dict[str, bytes], Answer]]:
        """Per night: its date, what is sent, the answer to a hold."""
        sent: list[dict[str, bytes]] = []
        system = None if self.seed else System()
        night_date = FIRST_NIGHT
        for number, night in enumerate(self.nights, start=1):
            night_date += timedelta(days=night.days if number > 1 else 0)
            if 0 < night.again < len(sent) + 1:
                files = sent[-night.again]
            else:
                files = system.send(night) if system else _simulated(self.seed, number, self.spoiled[number - 1])
            sent.append(files)
            yield night_date, files, night.answer


class System:
    """The district's student information system."""

    def __init__(self) -> None:
        self.year = 2025
        self.records = _tiny_district()
        self.gone: Records = {file: {} for file in FILE_NAMES}
        self.touched: dict[str, set[str]] = {file: set() for file in FILE_NAMES}

    def send(self, night: Night) -> dict[str, bytes]:
        """What the night's delivery is after some edits."""
        self.touched = {file: set() for file in FILE_NAMES}
        marked = [self._edit(edit) for edit in night.edits]
        modes = dict(zip(FILE_NAMES, night.modes, strict=True))
        files: dict[str, bytes] = {}
        for file, mode in modes.items():
            if mode in ("absent", "forgotten"):
                continue
            table = [] if mode == "header only" else self._table(file, mode, [each for each in marked if each])
            for slip in night.slips:
                table = _slipped(table, slip) if slip.file == file and table else table
            header = [column.name for column in FILE_BY_NAME[file].columns]
            files[f"{file}.csv"] = csv_bytes([header, *table])
        if set(modes.values()) - {"bulk"}:
            said = {"forgotten": "bulk", "header only": "bulk"}
            files["manifest.csv"] = manifest_bytes({file: said.get(mode, mode) for file, mode in modes.items()})
        return files

    def _table(self, file: str, mode: Mode, marked: list[tuple[str, Record]]) -> list[list[str]]:
        """The rows that are sent: all, or those that something happened to; marked ones in either."""
        rows = [
            row for source_id, row in self.records[file].items() if mode == "bulk" or source_id in self.touched[file]
        ]
        if mode == "delta":
            rows += [
                row | {"status": "ToBeDeleted"} for key, row in self.gone[file].items() if key in self.touched[file]
            ]
        else:
            rows += [row | {"status": "tobedeleted"} for where, row in marked if where == file]
        return [[row.get(column.name, "") for column in FILE_BY_NAME[file].columns] for row in rows]

    def _edit(self, edit: Edit) -> tuple[str, Record] | None:
        """Let something happen; returns the record if a full file is to mark it as deleted."""
        here, gone = self.records[edit.file], self.gone[edit.file]
        if edit.how == "next year":
            self._next_year()
        elif edit.how == "add":
            self._add(edit)
        elif edit.how == "return" and gone:
            key = sorted(gone)[edit.number % len(gone)]
            here[key] = gone.pop(key)
            self.touched[edit.file].add(key)
        elif here:
            key = sorted(here)[edit.number % len(here)]
            self.touched[edit.file].add(key)
            if edit.how in ("remove", "mark"):
                gone[key] = here.pop(key)
                return (edit.file, gone[key]) if edit.how == "mark" else None
            self._change(here[key], edit, BROKEN_FOR_LONG if edit.how == "break" else ELSEWHERE)
        return None

    def _change(self, record: Record, edit: Edit, cells_of: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        options = [(column, cell) for column, cells in cells_of[edit.file].items() for cell in cells]
        column, cell = options[edit.choice % len(options)]
        record[column] = cell

    def _add(self, edit: Edit) -> None:
        """A record that nobody has seen, like one that is there."""
        here = self.records[edit.file]
        if here:
            model = here[sorted(here)[edit.number % len(here)]]
            key = f"N{edit.choice}"
            here[key] = model | {"sourcedId": key}
            self.touched[edit.file].add(key)

    def _next_year(self) -> None:
        """The same ids of terms mean those of the next school year."""
        self.year += 1
        for key, term in self.records["academicSessions"].items():
            for column in ("startDate", "endDate"):
                term[column] = f"{int(term[column][:4]) + 1}{term[column][4:]}"
            term["schoolYear"] = str(int(term["schoolYear"]) + 1)
            self.touched["academicSessions"].add(key)


def _tiny_district() -> Records:
    rows: dict[str, list[str]] = {
        "orgs": ["D,District,district,", "S1,Oak,school,D", "S2,Elm,school,D"],
        "academicSessions": ["T1,Fall,term,2024-08-15,2024-12-18,,2025", "T2,Spring,term,2025-01-05,2025-06-10,,2025"],
        "courses": ["C1,Art,D"],
        "users": [
            *(f"P{n},true,S{1 + n % 2},student,p{n},Given{n},Family{n},07" for n in range(1, 5)),
            *(f"A{n},true,S{n},teacher,a{n},Staff{n},Name{n}," for n in (1, 2)),
        ],
        "classes": ["K1,Art 1,C1,scheduled,S1,T1", 'K2,Art 2,C1,scheduled,S1,"T1, T2"', "K3,,C1,homeroom,S2,T2"],
        "enrollments": [
            *(f"{c}{p},{c},S{1 + (c == 'K3')},{p},student,,2024-08-15," for c, p in
              (("K1", "P1"), ("K1", "P2"), ("K2", "P2"), ("K2", "P3"), ("K3", "P4"))),
            "K1A1,K1,S1,A1,teacher,true,2024-08-15,", "K2A1,K2,S1,A1,teacher,false,,", "K2A2,K2,S1,A2,teacher,false,,",
            "K3A2,K3,S2,A2,teacher,true,2024-08-15,2025-06-10",
        ],
        "demographics": [f"P{n},2012-02-2{n},female,true" for n in range(1, 4)],
    }  # fmt: skip
    columns = {
        "orgs": "sourcedId name type parentSourcedId",
        "academicSessions": "sourcedId title type startDate endDate parentSourcedId schoolYear",
        "courses": "sourcedId title orgSourcedId",
        "users": "sourcedId enabledUser orgSourcedIds role username givenName familyName grades",
        "classes": "sourcedId title courseSourcedId classType schoolSourcedId termSourcedIds",
        "enrollments": "sourcedId classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
        "demographics": "sourcedId birthDate sex asian",
    }
    return {
        file: {cells[0]: dict(zip(columns[file].split(), cells, strict=True)) for cells in csv.reader(lines)}
        for file, lines in rows.items()
    }


def _slipped(table: list[list[str]], slip: Slip) -> list[list[str]]:
    """The rows of a file with one mistake; what an earlier one tore or emptied has no cells for another."""
    at = slip.number % len(table)
    row = list(table[at])
    header = [column.name for column in FILE_BY_NAME[slip.file].columns]
    if not row or (slip.how in ("cell", "unknown id") and len(row) < len(header)):
        return table
    if slip.how == "cell":
        broken = sorted(BROKEN[slip.file].items())
        column, cell = broken[slip.choice % len(broken)]
        row[header.index(column)] = cell
    elif slip.how == "ragged":
        row = row[: max(2, slip.choice % len(row))]
    elif slip.how == "longer":
        row = [*row, "more"]
    elif slip.how == "unknown id":
        broken = sorted(item for item in BROKEN[slip.file].items() if item[0] != "sourcedId")
        row[0] = f"X{slip.choice}"
        for column, cell in broken[:1]:
            row[header.index(column)] = cell
    added: dict[str, list[list[str]]] = {"twice": [list(table[at])], "blank line": [[]]}
    return [*deepcopy(table[:at]), row, *added.get(slip.how, []), *deepcopy(table[at + 1 :])]


def _simulated(seed: int, number: int, spoiled: str) -> dict[str, bytes]:
    """A night of the simulator, as it comes or spoiled."""
    lively = Rates(joiners=0.1, leavers=0.1, school_movers=0.05, class_changes=0.1, renames=0.05, new_sections=0.02)
    profile = Profile("any", "Any Unified", 20, seed, levels="elementary", first_night=FIRST_NIGHT, rates=lively)
    with tempfile.TemporaryDirectory() as folder:
        write_night(profile, number, Path(folder))
        if spoiled:
            spoil(Path(folder), spoiled)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


_files, _numbers = st.sampled_from(FILE_NAMES), st.integers(0, 30)
_answers: st.SearchStrategy[Answer] = st.sampled_from(("approved", "approved", "discarded", "none"))
_kinds = st.sampled_from(("lenient", "lenient", "first held", "strict"))
_edits = st.builds(
    Edit,
    st.sampled_from(("change", "change", "break", "remove", "mark", "return", "add", "next year")),
    _files,
    _numbers,
    _numbers,
)
_slips = st.builds(
    Slip,
    st.sampled_from(("cell", "cell", "twice", "ragged", "longer", "blank line", "unknown id")),
    _files,
    _numbers,
    _numbers,
)
_modes = st.sampled_from((*["bulk"] * 5, *["delta"] * 4, *["absent"] * 6, "header only"))
_whole = st.just(("bulk",) * len(FILE_NAMES))
_mixed = st.tuples(*[_modes] * len(FILE_NAMES))
_forgetful = st.tuples(*[st.sampled_from((*["bulk"] * 9, "forgotten"))] * len(FILE_NAMES))
_first_nights = st.builds(Night, slips=st.lists(_slips, max_size=1).map(tuple), answer=_answers)
_later_nights = st.builds(
    Night,
    edits=st.lists(_edits, max_size=5).map(tuple),
    slips=st.lists(_slips, max_size=2).map(tuple),
    modes=st.one_of(_mixed, _mixed, _mixed, _whole, _forgetful),
    again=st.sampled_from((0, 0, 0, 0, 0, 1, 2)),
    days=st.sampled_from((1, 1, 1, 2, 120, 330)),
    answer=_answers,
)
_nights = st.builds(
    lambda first, later: (first, *later), _first_nights, st.lists(_later_nights, min_size=1, max_size=3)
).filter(lambda nights: sum(night.days for night in nights) <= LONGEST_DAYS)
_spoiled = st.sampled_from(
    (
        *[""] * 4,
        "truncate:enrollments:0.6",
        "truncate:users:0.7",
        "header_only:demographics",
        "remove:courses",
        "drop_school",
        "rekey_users:0.3",
    )
)
_tiny = st.builds(Story, _kinds, st.booleans(), _nights)
_simulated_nights = st.tuples(*[st.builds(Night, answer=_answers)] * 3)
_of_the_simulator = st.builds(
    Story, _kinds, st.booleans(), _simulated_nights, st.integers(1, 50), st.tuples(*[_spoiled] * 3)
)

stories: st.SearchStrategy[Story] = st.one_of(_tiny, _tiny, _tiny, _tiny, _of_the_simulator)
"""What a property is asked of."""
