"""The codes of what is found when a delivery is received, before any of its files is read."""

from rollcall.codes import Code

ARRIVAL = (
    Code(
        "file_missing",
        "arrival",
        "critical",
        "The delivery does not hold this file. Export all files of the set and send it again.",
        example="A zip without enrollments.csv.",
        fix="School Info > Imports and Exports > OneRoster v1.1 Configuration: tick the file under Extract Files.",
        why="An export with a file missing is usually one that broke off.",
    ),
)
