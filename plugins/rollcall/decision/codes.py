"""The codes of why a whole delivery is held, each a rule of the safeguards, or rejected."""

from rollcall.codes import Code

SAFEGUARDS = (
    Code(
        "hold_first_delivery",
        "safeguards",
        "critical",
        "This is the district's first delivery: a person releases it.",
        example="The first night of a new district.",
        fix="Nothing to do.",
        why="There is nothing to compare it with.",
    ),
    Code(
        "hold_removed",
        "safeguards",
        "critical",
        "More records would be removed than is ordinary, so a person decides whether the delivery counts.",
        example="Half of the enrollments are not in tonight's file.",
        fix="Check that the export ran to its end, with every school ticked, and send again. Pupils without a current "
        "class are not exported at all: after a change of schedules, wait until they are in their classes.",
        why="A truncated file looks like this. Records whose terms or dates have ended do not count.",
    ),
    Code(
        "hold_added",
        "safeguards",
        "critical",
        "More records would be added than is ordinary, so a person decides whether the delivery counts.",
        example="A third more users than the night before.",
        fix="Nothing to do if a school has joined. Else check that the files are the district's own, and of this year.",
        why="The files of another district, or of the whole of last year, look like this.",
    ),
    Code(
        "hold_changed",
        "safeguards",
        "critical",
        "More records would change than is ordinary, so a person decides whether the delivery counts.",
        example="Every user's grade is blank tonight.",
        fix="Look for a setting of the export that was changed, and do not edit the files in Excel.",
        why="A column that is lost or filled differently changes every record at once.",
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
        "hold_rekeyed",
        "safeguards",
        "critical",
        "Many records vanish and seem to come back under a new id, so a person decides whether the delivery counts.",
        example="Every pupil's sourcedId was the student number, and is another one tonight; user names are the same.",
        fix="School Info > Imports and Exports > OneRoster v1.1 Configuration: set the ids of students and staff back "
        "to what they were.",
        why="Everybody would leave and somebody new come: what others keep about a person hangs on the id.",
    ),
    Code(
        "hold_school_vanished",
        "safeguards",
        "critical",
        "A published school is not in tonight's files any more, so a person decides whether the delivery counts.",
        example="No user, class or enrollment of school 994, and yesterday there were 800 pupils.",
        fix="School Info > Imports and Exports > OneRoster v1.1 Configuration: tick the school. If it closed, say so.",
        why="A school that somebody unticked looks like this; its size does not matter.",
    ),
    Code(
        "hold_file_vanished",
        "safeguards",
        "critical",
        "The file holds a header only, and its records are published, so a person decides whether the delivery counts.",
        example="An enrollments.csv of one line.",
        fix="Find out why the export found nothing: often no school is ticked, or the pupils have no classes yet. Then "
        "send again.",
        why="It removes nothing, but the rest of the delivery was made on the same night.",
    ),
    Code(
        "hold_file_breaks_off",
        "safeguards",
        "critical",
        "The file breaks off in the middle of its last record, so a person decides whether the delivery counts.",
        example="The last line of enrollments.csv is 994_1000_S3,,,994_10 and the rest is not there.",
        fix="Send the whole set again (Run Now and Upload), and see that the upload runs to its end. If the export "
        "itself ends so, look for a quotation mark in its last record that nothing closes.",
        why="A cut upload looks like this. What else was below is unknown, and would be removed.",
    ),
    Code(
        "hold_line_end_missing",
        "safeguards",
        "critical",
        "The file does not end with a line end, though it did before, or other files of the delivery do. A person "
        "decides whether the delivery counts.",
        example="The last line of enrollments.csv ends in 2026-06-1, without a line end; yesterday the file had one.",
        fix="Send the whole set again (Run Now and Upload). If the export now ends its files so, say it: once a person "
        "has let it through, it is taken as the district's way.",
        why="The last record looks whole and may be half of one; what else was below is unknown, and would be removed.",
    ),
    Code(
        "hold_tail_missing",
        "safeguards",
        "critical",
        "What would be removed is the end of the file as it last was, in one block, so a person decides whether the "
        "delivery counts; how little it is does not matter.",
        example="Tonight's users.csv ends with student 4711. Yesterday twelve more followed, and tonight's "
        "enrollments.csv still names them.",
        fix="Compare the last records of the file with what Aeries shows, and send the whole set again. If those who "
        "stood last have left, say so.",
        why="A file that was cut between two records looks like this, and shows it in nothing else.",
    ),
    Code(
        "hold_roll_over_unexpected",
        "safeguards",
        "critical",
        "The sessions bring another school year at a time at which none is expected, so a person decides whether the "
        "delivery counts.",
        example="In November the sessions of the next school year, and none of this one.",
        fix="Check dates and school years of the terms: schoolYear is the year in which the school year ends.",
        why="Classes and enrollments belong to a school year: all of them would end and begin anew.",
    ),
    Code(
        "delivery_empty",
        "safeguards",
        "critical",
        "No file of the delivery holds a record. It counts as not sent: nothing is removed, the last good roster "
        "stays.",
        example="Seven files of one line each.",
        fix="Find out why the export found nothing: often no school is ticked. Then send again.",
        why="Taken literally it would remove everybody.",
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
        "hold_rolled_back",
        "safeguards",
        "critical",
        "The delivery says the same as one whose publication a person took back, so a person decides whether it "
        "counts.",
        example="Monday's roster was wrong and was taken back on Tuesday; on Wednesday the files of Monday come again.",
        fix="Mend what was wrong with that delivery, and send again. If nothing was wrong with it, say so.",
        why="Somebody decided that readers should not see it.",
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
)
