-- Classes of the candidate whose school is not in it.
{{ versions_without_their_record(
    ref('hist_classes'), 'classes', 'classes', 'source_id', ref('hist_orgs'),
    {'source_id': 'school_source_id'}
) }}
