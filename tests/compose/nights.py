"""The stack comes up, and the demo's two nights are played on it."""

from dataclasses import replace
from datetime import date, timedelta

from rollcall.cli.demo import EXPECTED, PROFILES, RIVERBEND, write_nights
from simulator.night import Delivery, write_night
from tests.compose.stack import Stack
from tests.compose.step import Step

FIRST_NIGHT = date(2025, 11, 17)


def night_date(number: int) -> date:
    """The service date of a night, counted from 1."""
    return FIRST_NIGHT + timedelta(days=number - 1)


def write(stack: Stack, district: str, number: int) -> Delivery:
    """The files of a district's night."""
    profile = next(each for each in PROFILES if each.district_id == district)
    folder = stack.work / "nights" / district / str(number)
    return write_night(replace(profile, first_night=FIRST_NIGHT), number, folder)


def play_night(stack: Stack, district: str, number: int) -> tuple[Delivery, str]:
    """Start a district's run for a night, and upload the night's files; what they hold, and the run's id."""
    delivery = write(stack, district, number)
    run_id = stack.start(district, night_date(number))
    stack.upload(district, delivery.files)
    return delivery, run_id


def until_published(stack: Stack, delivery: Delivery, district: str, number: int) -> str:
    """Wait until readers see a night, and exactly what the district sent."""
    stack.until_state(district, night_date(number), "published")
    rows = stack.roster_rows(district)
    assert rows == delivery.expected.roster_rows, f"{rows} rows, {delivery.expected.roster_rows} were sent"
    return f"published, {rows:,} rows"


def roster(stack: Stack) -> str:
    """What readers see, of all districts, as a hash, with the pointers and how many deliveries there are."""
    return stack.sql(
        "select (select md5(string_agg(roster::text, '|' order by roster::text)) from roster.roster)"
        " || (select string_agg(publication::text, '|' order by district_id) from rollcall.publication)"
        " || (select count(*) from rollcall.delivery)"
    )


def build(stack: Stack) -> str:
    """Build both images from the Dockerfile."""
    stack.compose("build")
    return "both images built"


def refuse_without_secrets(stack: Stack) -> str:
    """Start with one of the secrets blank."""
    secret = stack.secrets / "airflow_jwt_secret"
    whole = secret.read_text()
    secret.chmod(0o644)
    secret.write_text("")
    try:
        stack.compose("up", "--detach")
    except AssertionError:
        return "refused"
    finally:
        secret.write_text(whole)
    raise AssertionError("it would start without a secret")


def up(stack: Stack) -> str:
    """Start everything."""
    stack.compose("up", "--detach")
    stack.until_healthy()
    return "every service is healthy"


def two_nights(stack: Stack) -> str:
    """The demo's two nights; of the second one, riverbend's enrollments are cut in half."""
    nights = write_nights(stack.work / "demo", FIRST_NIGHT)
    for number, deliveries in nights.items():
        for district, delivery in deliveries.items():
            stack.start(district, night_date(number))
            stack.upload(district, delivery.files)
        for district in deliveries:
            stack.until_state(district, night_date(number), EXPECTED[district, number])
    published = {name: delivery for name, delivery in nights[2].items() if name != RIVERBEND.district_id}
    for district, delivery in published.items():
        rows = stack.roster_rows(district)
        assert rows == delivery.expected.roster_rows, f"{district}: {rows} rows"
    return "each ended as it does in `make demo`"


def approve(stack: Stack) -> str:
    """Approve the delivery that is held, after all."""
    held = stack.sql("select delivery_id from rollcall.hold where settlement is null")
    stack.inside("scheduler", "rollcall", "approve", held, "--by", "test", "--why", "half a roster is a roster")
    stack.until_state(RIVERBEND.district_id, night_date(2), "published")
    return "published"


STEPS = (
    Step("Build both images from the `Dockerfile`", build),
    Step("Start with a secret that is blank", refuse_without_secrets),
    Step("Start", up),
    Step("Play the demo's two nights, uploaded with `sftp`", two_nights),
    Step("Approve the held delivery", approve),
)
