"""The codes of why a whole delivery is held, each a rule of the safeguards."""

from rollcall.codes import Code

SAFEGUARDS = (
    Code(
        "hold_removed",
        "safeguards",
        "critical",
        "More records would be removed than is ordinary, so a person decides whether the delivery counts.",
        example="Half of the enrollments are not in tonight's file.",
        fix="Check that the export ran to its end, with every school ticked; then send again or approve.",
        why="A truncated file looks like this.",
    ),
    Code(
        "hold_set_aside",
        "safeguards",
        "critical",
        "More records were set aside than is ordinary, so a person decides whether the delivery counts.",
        example="A tenth of the enrollments name a class that is not in classes.csv.",
        fix="Mend what the findings of the file say, orgs first, and send again.",
        why="One cause is behind many rows; the roster would be half old, half new.",
    ),
    Code(
        "file_rejected",
        "safeguards",
        "critical",
        "The file as a whole cannot be used, so the delivery does not count.",
        example="A users.csv in which every row names the same sourcedId.",
        fix="Mend what the findings of the file say, and send the whole set again.",
        why="A roster of one night must not be made of one night's classes and another night's pupils.",
    ),
    Code(
        "hold_two_nights",
        "safeguards",
        "critical",
        "Some files are much older than the newest one, so the set may be of two nights. A person decides.",
        example="Tonight's users.csv beside last night's enrollments.csv.",
        fix="See that the upload runs to its end, then send the whole set again (Run Now and Upload).",
        why="Half of tonight's roster and half of last night's never fit together.",
    ),
    Code(
        "hold_first_delivery",
        "safeguards",
        "critical",
        "This is the district's first delivery: a person releases it.",
        example="The first night of a new district.",
        fix="Nothing to do.",
        why="There is nothing to compare it with.",
    ),
)
