"""The codes of what is found while a file is read, before the suites in ``expectations/`` come to it."""

from rollcall.codes import Code

READING = (
    Code(
        "file_empty",
        "reading",
        "critical",
        "The file is empty: it has not even a header. Untick it in the export if it is not meant to be sent, else "
        "send it again.",
        example="A users.csv of 0 bytes.",
        fix="Look at the last extract under School Info > Imports and Exports > OneRoster v1.1 Configuration; if the "
        "file stays empty, run the extract again. Untick the file under Extract Files if it is not meant to be "
        "sent.",
        why="An empty file says nothing, least of all that everybody has left.",
    ),
    Code(
        "file_unreadable",
        "reading",
        "critical",
        "The file is not a OneRoster CSV file: its first line does not name the standard's columns.",
        example="A picture, or a CSV file with other columns.",
        fix="Send the file that Aeries makes under School Info > Imports and Exports > OneRoster v1.1 Configuration, "
        "under the name that it gives it.",
        why="Nothing can be read from it.",
    ),
    Code(
        "file_no_header",
        "reading",
        "critical",
        "The file has no header: its first line is a record. Export it with the standard's column names in the "
        "first line.",
        example="A file whose first line is 990,,,Maple School,school,,",
        fix="Send the file as Aeries writes it. Where the export has a switch for column names, turn it on.",
        why="Without names it cannot be told which cell belongs to which column.",
    ),
    Code(
        "file_too_wide",
        "reading",
        "critical",
        "The first line has more cells than a OneRoster file can have columns.",
        example="A users.csv with 10,000 columns, or one whose records all stand in one line.",
        fix="Look at the file in a text editor. Are all records in one line? Then whatever handles the file after the "
        "export loses its line ends: send it as Aeries writes it. Else leave out the columns that are not OneRoster's.",
        why="So many columns are a mistake of the export; what the cells below them belong to cannot be trusted.",
    ),
    Code(
        "file_excel",
        "reading",
        "critical",
        "The file is an Excel workbook, not CSV; renaming it does not change that. Send the file that the export "
        "wrote.",
        example="Orgs.xlsx, renamed to orgs.csv.",
        fix="Send the file as Aeries writes it, without opening it in Excel: Excel also drops leading zeros and "
        "rewrites dates.",
        why="Nothing can be read from it.",
    ),
    Code(
        "file_html",
        "reading",
        "critical",
        "The file is an HTML page, a login or error page perhaps, not CSV. Download the export again and look at "
        "the file before sending it.",
        example="A file that begins with <!DOCTYPE html>.",
        fix="Let Aeries send the files itself, under School Info > Imports and Exports > OneRoster v1.1 Configuration; "
        "a script that downloads them may have been logged out.",
        why="Nothing can be read from it.",
    ),
    Code(
        "file_xml",
        "reading",
        "critical",
        "The file is XML, not CSV. Choose the CSV format of OneRoster in the export.",
        example='A file that begins with <?xml version="1.0"?>.',
        fix="Use the CSV extract under School Info > Imports and Exports > OneRoster v1.1 Configuration.",
        why="Nothing can be read from it.",
    ),
    Code(
        "file_json",
        "reading",
        "critical",
        "The file is JSON, as the API of OneRoster answers it, not CSV. Choose the CSV format of OneRoster in the "
        "export.",
        example='A file that begins with {"users": [',
        fix="Use the CSV extract under School Info > Imports and Exports > OneRoster v1.1 Configuration.",
        why="Nothing can be read from it.",
    ),
    Code(
        "file_pdf",
        "reading",
        "critical",
        "The file is a PDF document, not CSV. Send the export, not a report.",
        example="A file that begins with %PDF-1.7.",
        fix="Use the CSV extract under School Info > Imports and Exports > OneRoster v1.1 Configuration.",
        why="Nothing can be read from it.",
    ),
    Code(
        "file_compressed",
        "reading",
        "critical",
        "The file is compressed, though its name ends in .csv. Send the CSV file itself, or one zip of all files "
        "under a name that ends in .zip.",
        example="users.csv.gz, renamed to users.csv.",
        fix="Send the files as Aeries writes them.",
        why="Only a zip of the whole delivery is opened.",
    ),
    Code(
        "file_database_dump",
        "reading",
        "critical",
        "The file is a database dump, not OneRoster CSV. Send the OneRoster export of your student information system.",
        example="A users.csv that begins with -- MySQL dump.",
        fix="Use the CSV extract under School Info > Imports and Exports > OneRoster v1.1 Configuration.",
        why="Nothing can be read from it, and it may hold more than we should have.",
    ),
    Code(
        "file_database_table",
        "reading",
        "critical",
        "The file is the export of a database table, not OneRoster: its columns are named as in a database, not as "
        "in the standard.",
        example="A header id,first_name,last_name,school_id,created_at.",
        fix="Use the CSV extract under School Info > Imports and Exports > OneRoster v1.1 Configuration.",
        why="Its columns mean something else.",
    ),
    Code(
        "file_microsoft_sds",
        "reading",
        "critical",
        "The file is in a format of Microsoft School Data Sync, not in OneRoster, although the files have the same "
        "names. Send the OneRoster v1.1 export.",
        example="A header SIS ID,School SIS ID,Username.",
        fix="Use the extract under School Info > Imports and Exports > OneRoster v1.1 Configuration, not the one for "
        "Microsoft.",
        why="Its columns mean something else, and some are not there at all.",
    ),
    Code(
        "file_clever",
        "reading",
        "critical",
        "The file is in Clever's format, not in OneRoster. Send the OneRoster v1.1 export.",
        example="A header School_id,Section_id,Student_id.",
        fix="Use the extract under School Info > Imports and Exports > OneRoster v1.1 Configuration, not the one for "
        "Clever.",
        why="Its columns mean something else.",
    ),
    Code(
        "file_separator",
        "reading",
        "critical",
        "The columns are not separated by commas. Export the file as comma-separated values.",
        example="A header sourcedId;status;dateLastModified.",
        fix="Send the file as Aeries writes it; Excel in some countries saves CSV with semicolons.",
        why="The standard has commas only; guessing would tear names that hold one.",
    ),
    Code(
        "file_line_too_long",
        "reading",
        "critical",
        "A line is longer than 1 MiB: the line ends are lost, or a quotation mark is never closed. Send the file "
        "again.",
        example="A file without any line end.",
        fix="Send the file as Aeries writes it. If it happens again, a program on the way removes the line ends.",
        why="No record is that long.",
    ),
    Code(
        "file_torn",
        "reading",
        "critical",
        "More than 100,000 of its records do not fit the header, and these are most of them: the file is damaged, or "
        "not what its header says. Reading was given up. Send the file again.",
        example="A cell of 100 MB over millions of lines, or a file whose line ends are in the wrong places.",
        fix="Look at the line that is named. Send the file as Aeries writes it; if it happens again, a program on the "
        "way changes it.",
        why="So many records are not mended one by one, and what the few others say cannot be trusted.",
    ),
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
        "column_duplicate",
        "reading",
        "critical",
        "A required column is in the header twice, and it is not known which one is right. Export the file with "
        "each column once.",
        example="A header sourcedId,sourcedId,name,type.",
        fix="Send the file as Aeries writes it; do not add columns afterwards.",
        why="Reading the wrong one would change every record.",
    ),
    Code(
        "column_optional_duplicate",
        "reading",
        "warning",
        "An optional column is in the header twice; the first one was read, the other left out.",
        example="A header of users.csv with email twice.",
        fix="Send the file as Aeries writes it; do not add columns afterwards.",
        why="The rows can be read; the second column's content is lost.",
    ),
    Code(
        "column_new_in_1_1",
        "reading",
        "warning",
        "A column that OneRoster 1.1 requires, and 1.0 did not have, is not in the header. The file was read "
        "without it.",
        example="A header of academicSessions.csv without schoolYear.",
        fix="Use the OneRoster v1.1 extract, under School Info > Imports and Exports > OneRoster v1.1 Configuration; "
        "if your system knows only OneRoster 1.0, leave it.",
        why="What the column says can be told in another way.",
    ),
    Code(
        "column_name_of_1_0",
        "reading",
        "warning",
        "A column has the name that OneRoster 1.0 gave it; it was read as the column of 1.1.",
        example="A header of classes.csv with termSourcedId instead of termSourcedIds.",
        fix="Use the OneRoster v1.1 extract, under School Info > Imports and Exports > OneRoster v1.1 Configuration; "
        "if your system knows only OneRoster 1.0, leave it.",
        why="It was understood.",
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
        fix="Nothing to do, unless it is a misspelling. Further columns are meant to be called metadata.<name>, and to "
        "stand last.",
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
        "column_invisible_characters",
        "reading",
        "warning",
        "A header cell holds blanks or characters that cannot be seen, such as a zero-width space; they were "
        "passed over.",
        example="A space before status in sourcedId, status.",
        fix="Send the file as Aeries writes it; the characters come from a program that edited the file, or from "
        "pasted text.",
        why="It was understood; other receivers read nothing from such a file.",
    ),
    Code(
        "column_order",
        "reading",
        "info",
        "The columns do not stand in the standard's order; they were read by their names.",
        example="A header type,name,sourcedId.",
        fix="Nothing to do; to be exact, send the file as Aeries writes it.",
        why="It was understood; other receivers go by the order.",
    ),
    Code(
        "column_us_dates",
        "reading",
        "warning",
        "All dates of a column are written as month/day/year; they were read so. Write dates as 2026-08-27.",
        example="8/27/2026 in startDate, and no date of another form in the column.",
        fix="Do not open the file in Excel. Where the export has a date format to choose, choose year-month-day.",
        why="It was understood, because the whole column is so; other receivers refuse it.",
    ),
    Code(
        "column_dates_with_time",
        "reading",
        "warning",
        "Some dates of a column have a time behind them; it was left out. Write dates as 2026-08-27.",
        example="2026-08-27 00:00 or 2026-08-27T00:00:00Z in beginDate.",
        fix="Where the export has a date format to choose, choose year-month-day without a time.",
        why="The date was understood; other receivers refuse it.",
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
    Code(
        "row_undecodable",
        "reading",
        "critical",
        "The record holds bytes that are no characters in the file's encoding, so it was set aside. Send the file "
        "again, as UTF-8.",
        example="A record with the single byte E9, which is Windows-1252 for an accented e, in a file that is UTF-8 "
        "otherwise.",
        fix="Look at the record's names in Aeries: a character may have been pasted from another program. Do not join "
        "files of different encodings.",
        why="What the characters were is not known, and a name must not be published as gibberish.",
    ),
    Code(
        "row_merged",
        "reading",
        "warning",
        "The person stands on several rows that differ in nothing but the school; they were read as one person who "
        "belongs to all of these schools.",
        example="Two rows of users.csv with the sourcedId T7, one with orgSourcedIds 990, the other with 994.",
        fix='Nothing to do. To be exact, send one row per person with all schools in orgSourcedIds, as in "990,994".',
        why="It was understood; other receivers may take one of the schools only.",
    ),
)
