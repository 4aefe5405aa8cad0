"""How many examples of a property are played.

`make test` plays 100, the same ones each time; `make properties` plays 1,000, other ones each time: the profile
``thorough`` of tests/conftest.py. Builds cost seconds however many districts they are for, so examples are played in
batches, each in a district of its own, and share the builds.
"""

from hypothesis import HealthCheck, Phase, settings

BATCH = 25
STORIES = 50
"""Of any nights, which take several builds, so many share them."""
BATCHES = settings().max_examples // STORIES
EVERY_TIME = 100

SETTINGS = settings(
    derandomize=settings().max_examples <= EVERY_TIME,
    database=None,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=[*HealthCheck],
)

FILES_JUDGED_TWICE = 2 if SETTINGS.max_examples <= EVERY_TIME else 7
"""Of a delivery that is judged by what changed, how many files are judged in full, too; all in `make properties`."""
