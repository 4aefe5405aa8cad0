"""The ten questions of docs/querying.md, asked by readers, against counts of our own from simulated files."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import nbformat
import psycopg
import pytest
import yaml
from helpers.counted_nights import Night, counted_night
from helpers.deliveries import accept, execute, reland_nothing
from helpers.postgres import Postgres
from nbclient import NotebookClient

from rollcall.conform import conform
from rollcall.settings import PROJECT_ROOT
from simulator.profile import Profile, Rates

MODELS = PROJECT_ROOT / "dbt_project" / "models"
PAGE = (PROJECT_ROOT / "docs" / "querying.md").read_text(encoding="utf-8")
NOTEBOOK = PROJECT_ROOT / "examples" / "roster.ipynb"
FIRST_NIGHT, CENSUS_DAY, LAST_NIGHT = (date(2026, 10, day) for day in (6, 7, 8))
LIVELY = Rates(joiners=0.06, leavers=0.05, school_movers=0.03, class_changes=0.06, renames=0.03, new_sections=0.02)
PROFILES = (
    Profile("lake", "Lake Unified", students=300, seed=3, first_night=FIRST_NIGHT, rates=LIVELY),
    Profile(
        "hill", "Hill Elementary", students=700, seed=3, levels="elementary", first_night=FIRST_NIGHT, rates=LIVELY
    ),
)

Answer = list[tuple[Any, ...]]
Nights = dict[date, list[Night]]


@dataclass(frozen=True)
class Published:
    """A warehouse in which three nights were published, and two readers' logins."""

    url: str
    reader_url: str
    restricted_url: str
    nights: Nights

    def ask(self, script: str, url: str | None = None) -> Answer:
        """The last answer to a script, as an analyst gets it."""
        with psycopg.connect(url or self.reader_url) as connection:
            cursor = connection.cursor()
            answer: Answer = []
            for statement in filter(str.strip, script.split(";")):
                cursor.execute(statement)
                answer = cursor.fetchall() if cursor.description else answer
            return answer


@pytest.fixture(scope="module")
def published(
    postgres: Postgres, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    nights: Nights = defaultdict(list)
    with postgres.worked_on(warehouse_template) as url:
        for number in (1, 2, 3):
            for profile in PROFILES:
                night = counted_night(profile, number, tmp_path_factory.mktemp(profile.district_id))
                nights[night.date].append(night)
                accept(url, night.district_id, number, night.rows, service_date=night.date)
            assert all(outcome.published == ["hill", "lake"] for outcome in conform(reland=reland_nothing))
        for login, role in (("querying_ada", "roster_reader"), ("querying_grace", "roster_restricted_reader")):
            execute(url, f"create role {login} login in role {role}")
            execute(url, "insert into rollcall.reader_district (reader, granted_by) values (%s, 'test')", login)
        yield Published(url, _as_login(url, "querying_ada"), _as_login(url, "querying_grace"), nights)
    for login in ("querying_ada", "querying_grace"):
        postgres.execute(f"drop role {login}")


def _as_login(url: str, login: str) -> str:
    return psycopg.conninfo.make_conninfo(url, user=login)


def class_sizes(nights: Nights) -> Answer:
    answer = []
    for night in nights[LAST_NIGHT]:
        grades_of = defaultdict(list)
        for class_id, student in night.places:
            grades_of[class_id].append(str(night.students[student]["grades"]))
        sizes = defaultdict(list)
        for grades in grades_of.values():
            most = max(Counter(grades).values())
            sizes[min(grade for grade in grades if grades.count(grade) == most)].append(len(grades))
        for grade, counts in sizes.items():
            average = (Decimal(sum(counts)) / len(counts)).quantize(Decimal("0.1"), ROUND_HALF_UP)
            answer.append((night.district_id, grade, len(counts), min(counts), average, max(counts)))
    return answer


def students_without_a_teacher(nights: Nights) -> Answer:
    return [
        (
            night.district_id,
            night.school_name(class_id),
            night.name_of(class_id),
            str(night.classes[class_id]["periods"]).split(","),
            night.students[student]["identifier"],
            night.students[student]["family_name"],
        )
        for night in nights[LAST_NIGHT]
        for class_id, student in night.places
        if not night.teachers_of(class_id)
    ]


def students_in_no_class(nights: Nights) -> Answer:
    return [
        (night.district_id, row["identifier"], row["family_name"], row["given_name"], row["grades"])
        for night in nights[LAST_NIGHT]
        for student, row in night.students.items()
        if student not in {each for _, each in night.places}
    ]


def classes_without_students(nights: Nights) -> Answer:
    return [
        (
            night.district_id,
            night.school_name(class_id),
            night.name_of(class_id),
            row["class_code"],
            night.teachers[night.primary_teacher_of(class_id)]["family_name"],
        )
        for night in nights[LAST_NIGHT]
        for class_id, row in night.classes.items()
        if class_id not in {each for each, _ in night.places}
    ]


def co_taught_classes(nights: Nights) -> Answer:
    return [
        (night.district_id, night.school_name(class_id), night.name_of(class_id), row["class_code"], len(teachers))
        for night in nights[LAST_NIGHT]
        for class_id, row in night.classes.items()
        if len(teachers := set(night.teachers_of(class_id))) > 1
    ]


def teachers_loads(nights: Nights) -> Answer:
    answer = []
    for night in nights[LAST_NIGHT]:
        classes = Counter(night.primary_teacher_of(class_id) for class_id in night.classes)
        students = defaultdict(set)
        for class_id, student in night.places:
            students[night.primary_teacher_of(class_id)].add(student)
        for teacher, taught in students.items():
            if teacher:
                name = (night.teachers[teacher]["family_name"], night.teachers[teacher]["given_name"])
                answer.append((night.district_id, *name, classes[teacher], len(taught)))
    return answer


def who_moved_schools(nights: Nights) -> Answer:
    """Of the three nights, two have a night before."""
    answer = []
    for before, after, now in _consecutive(nights):
        for student in before.students.keys() & after.students.keys() & now.students.keys():
            old, new = before.school_of(student), after.school_of(student)
            if old != new:
                named = now.students[student]
                schools = (now.schools[old]["name"], now.schools[new]["name"])
                answer.append((now.district_id, after.date, named["identifier"], named["family_name"], *schools))
    return answer


def joiners_and_leavers(nights: Nights) -> Answer:
    joiners: Counter[tuple[str, str]] = Counter()
    leavers: Counter[tuple[str, str]] = Counter()
    for before, after, _ in _consecutive(nights):
        for school in after.schools:
            there, here = _members(before, school), _members(after, school)
            joiners[after.district_id, school] += len(here - there)
            leavers[after.district_id, school] += len(there - here)
    return [
        (night.district_id, row["name"], joiners[night.district_id, school], leavers[night.district_id, school])
        for night in nights[LAST_NIGHT]
        for school, row in night.schools.items()
    ]


def census_day(nights: Nights) -> Answer:
    answer: Answer = []
    for night in nights[CENSUS_DAY]:
        for school, row in night.schools.items():
            grades = Counter(night.students[student]["grades"] for student in _members(night, school))
            answer += [(night.district_id, row["name"], *count) for count in grades.items()]
    return answer


def grade_and_sex(nights: Nights) -> Answer:
    answer: Answer = []
    for night in nights[LAST_NIGHT]:
        sexes = {row["sourced_id"]: row["sex"] for row in night.rows["demographics"]}
        counts = Counter((row["grades"], sexes.get(student)) for student, row in night.students.items())
        answer += [(night.district_id, grade, sex and sex.lower(), number) for (grade, sex), number in counts.items()]
    return answer


def _consecutive(nights: Nights) -> list[tuple[Night, Night, Night]]:
    """Of each district: a night, the one after it, and the last."""
    pairs = ((FIRST_NIGHT, CENSUS_DAY), (CENSUS_DAY, LAST_NIGHT))
    return [
        each for before, after in pairs for each in zip(nights[before], nights[after], nights[LAST_NIGHT], strict=True)
    ]


def _members(night: Night, school: str) -> set[str]:
    return {student for student, row in night.students.items() if school in str(row["org_sourced_ids"]).split(",")}


COUNTS: dict[str, Callable[[Nights], Answer]] = {
    "How large are the classes, by grade?": class_sizes,
    "Which students have a class without a teacher?": students_without_a_teacher,
    "Which students are in no class?": students_in_no_class,
    "Which classes have no students?": classes_without_students,
    "Which classes are co-taught?": co_taught_classes,
    "How many classes and students has each teacher?": teachers_loads,
    "Who has moved to another school in the last 30 days?": who_moved_schools,
    "How many students joined and left each school in the last 30 days?": joiners_and_leavers,
    "How many students had each school on census day, by grade?": census_day,
    "How many students are there by grade and sex?": grade_and_sex,
}
TEN_QUESTIONS = PAGE.partition("## Ten questions\n")[2].partition("\n## ")[0]
TEN_QUESTIONS = TEN_QUESTIONS.replace("current_date - 30", f"date '{FIRST_NIGHT}'")
QUESTIONS = dict(re.findall(r"^### (.+?)\n.*?```sql\n(.*?)```\n", TEN_QUESTIONS, re.DOTALL | re.MULTILINE))
SCRIPTS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_each_question_of_the_page_has_one_query_and_a_count_of_our_own() -> None:
    assert list(QUESTIONS) == list(COUNTS)
    assert TEN_QUESTIONS.count("```sql") == len(COUNTS) == 10


@pytest.mark.parametrize("question", COUNTS)
def test_the_query_answers_the_question(published: Published, question: str) -> None:
    restricted = "roster_restricted." in QUESTIONS[question]
    answer = published.ask(QUESTIONS[question], published.restricted_url if restricted else None)
    assert Counter(map(repr, answer)) == Counter(map(repr, COUNTS[question](published.nights)))
    assert len(answer) > 1, "there is something to ask about"


@pytest.mark.parametrize("question", COUNTS)
def test_the_query_reads_two_marts_at_most(published: Published, question: str) -> None:
    *settings, query = filter(str.strip, QUESTIONS[question].split(";"))
    assert all("set_config('roster.as_of', (max(effective_date) - 1)::text, false)" in each for each in settings)
    with psycopg.connect(published.url) as connection:
        connection.execute(f"create temporary view asked as {query}")
        read = connection.execute(
            "select distinct pg_depend.refobjid::regclass::text from pg_depend"
            " inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid and pg_rewrite.ev_class = 'asked'::regclass"
            " where pg_depend.refclassid = 'pg_class'::regclass and pg_depend.refobjid <> 'asked'::regclass"
        ).fetchall()
    assert 1 <= len(read) <= 2
    assert all(re.match(r"roster(_restricted)?\.", name) for (name,) in read)


def test_readers_who_may_not_see_demographics_get_none(published: Published) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        published.ask(QUESTIONS["How many students are there by grade and sex?"])


def test_every_query_of_the_page_runs_and_which_night_it_is_can_be_seen(published: Published) -> None:
    for script in SCRIPTS:
        published.ask(script, published.restricted_url)
    (which_night,) = (script for script in SCRIPTS if "published_at" in script)
    names = [("hill", LAST_NIGHT), ("lake", LAST_NIGHT)]
    assert [(row[0], row[2]) for row in published.ask(which_night)] == names
    assert [row[2] for row in published.ask(f"set roster.as_of = '{CENSUS_DAY}'; {which_night}")] == [CENSUS_DAY] * 2


def test_the_notebook_runs_and_holds_no_answers_in_the_project(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells), "outputs hold personal data"
    monkeypatch.setenv("ROSTER_URL", published.url.replace("//postgres:", "//querying_ada:", 1))
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    shown = {cell.id: "".join(output.data["text/plain"] for output in cell.outputs) for cell in cells}
    for profile in PROFILES:
        before, latest = (
            len(night.students)
            for day in (CENSUS_DAY, LAST_NIGHT)
            for night in published.nights[day]
            if night.district_id == profile.district_id
        )
        assert re.search(rf"^{profile.district_id} +{before} +{latest} +{latest - before}$", shown["two-nights"], re.M)
    assert sum(map(bool, shown.values())) == len(cells) - 1, "all but the first show something"


def test_the_page_lists_every_mart_and_the_exposure_those_that_the_questions_read() -> None:
    marts = {path.stem for path in (MODELS / "marts").rglob("*.sql")}
    assert {name.split(".")[1] for name in re.findall(r"^\| `(roster\w*\.\w+)`", PAGE, re.MULTILINE)} == marts
    exposures = yaml.safe_load((MODELS / "exposures.yml").read_text())["exposures"]
    (named,) = (exposure["depends_on"] for exposure in exposures if exposure["name"] == "ten_questions")
    read = re.findall(r"(?:from|join) roster\w*\.(\w+)", "".join(QUESTIONS.values()))
    assert named == sorted({f"ref('{mart}')" for mart in read})
