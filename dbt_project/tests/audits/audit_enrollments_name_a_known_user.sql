-- Enrollments of the candidate whose person is not in it.
{{ versions_without_their_record(
    ref('hist_enrollments'), 'enrollments', 'enrollments', 'class_source_id', ref('hist_users'),
    {'source_id': 'user_source_id'}
) }}
