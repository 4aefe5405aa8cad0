"""The codes of what is found while a file is read, before the suites in ``expectations/`` come to it."""

from rollcall.codes import Code

READING = (
    Code(
        "column_missing",
        "reading",
        "critical",
        "A required column is not in the header. Export the file with all columns of OneRoster 1.1.",
        example="A header of classes.csv without schoolSourcedId.",
        fix="Send the file as Aeries writes it; do not delete or rename columns afterwards.",
        why="Without the column no row of the file can be trusted, and reading it would blank what is published.",
    ),
    Code(
        "column_optional_missing",
        "reading",
        "warning",
        "An optional column is not in the header. The standard wants it there, even when empty.",
        example="A header of users.csv without middleName.",
        fix="Send the file as Aeries writes it, with all columns.",
        why="The rows can be read; the column counts as blank.",
    ),
    Code(
        "column_unknown",
        "reading",
        "info",
        "A cell of the header names no column of the standard; its content is kept, but no roster shows it.",
        example="A column homePhone in users.csv.",
        fix="Nothing to do. Further columns are meant to be called metadata.<name>, and to stand last.",
        why="It harms nothing.",
    ),
    Code(
        "column_miscased",
        "reading",
        "warning",
        "A header cell is not in the standard's case; it is read all the same.",
        example="SourcedID instead of sourcedId.",
        fix="Send the file as Aeries writes it.",
        why="It was understood; other receivers refuse it.",
    ),
    Code(
        "encoding_not_utf8",
        "reading",
        "warning",
        "The file is not UTF-8; it was converted. Export it as UTF-8.",
        example="A name with an accent in a file that Excel has saved.",
        fix="Do not open the file in Excel. Where the export has an encoding to choose, choose UTF-8.",
        why="It was understood, but by a guess.",
    ),
    Code(
        "file_unreadable",
        "reading",
        "critical",
        "The file is not a OneRoster CSV file: its first line does not name the standard's columns.",
        example="A file whose first line is a record.",
        fix="Send the file as Aeries writes it.",
        why="Nothing can be read from it.",
    ),
    Code(
        "row_ragged",
        "reading",
        "critical",
        "The record has another number of cells than the header. Look for stray commas and quotation marks.",
        example='990,,,Oak, School,school,, (the comma in the name needs quotation marks: "Oak, School")',
        fix="Look for commas and quotation marks in the record's text in Aeries; a program that edits the file may "
        "have lost the quotation marks around it.",
        why="It cannot be told which cell belongs to which column.",
    ),
    Code(
        "row_nul_byte",
        "reading",
        "critical",
        "The record holds a NUL byte: the file was damaged on its way, or is not text.",
        example="A record with a byte 00 in it.",
        fix="Send the file again. If it happens again, look at the record in Aeries.",
        why="What else was damaged is unknown.",
    ),
)
