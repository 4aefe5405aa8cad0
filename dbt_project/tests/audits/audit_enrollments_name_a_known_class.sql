-- Enrollments of the candidate whose class is not in it.
{{ versions_without_their_record(
    ref('hist_enrollments'), 'enrollments', 'enrollments', 'class_source_id', ref('hist_classes'),
    {'source_id': 'class_source_id', 'school_year': 'school_year'}
) }}
