with

published_nights as (
    select * from {{ source('rollcall', 'published_night') }}
),

organisations as (
    select * from {{ ref('hist_orgs') }}
),

users as (
    select * from {{ ref('hist_users') }}
),

demographics as (
    select * from {{ ref('hist_demographics') }}
),

nights as not materialized (
    {{ numbered_nights() }}
),

schools as not materialized (
    {{ schools_of_districts() }}
),

-- From the first sequence that has both, the student and these demographics, to the first that has not.
students as not materialized (
    select
        users.district_id,
        users.org_source_ids,
        coalesce(users.grades[1], 'not stated') as grade,
        greatest(users.valid_from_seq, demographics.valid_from_seq) as valid_from_seq,
        least(users.valid_to_seq, demographics.valid_to_seq) as valid_to_seq,
        (demographics.sex = 'female')::integer as female,
        (demographics.sex = 'male')::integer as male,
        demographics.american_indian_or_alaska_native::integer as american_indian_or_alaska_native,
        demographics.asian::integer as asian,
        demographics.black_or_african_american::integer as black_or_african_american,
        demographics.native_hawaiian_or_other_pacific_islander::integer as native_hawaiian_or_other_pacific_islander,
        demographics.white::integer as white,
        demographics.demographic_race_two_or_more_races::integer as two_or_more_races,
        demographics.hispanic_or_latino_ethnicity::integer as hispanic_or_latino
    from users
    inner join demographics
        on
            users.district_id = demographics.district_id
            and users.source_id = demographics.source_id
            and (users.valid_to_seq is null or users.valid_to_seq > demographics.valid_from_seq)
            and (demographics.valid_to_seq is null or users.valid_from_seq < demographics.valid_to_seq)
    where users.role = 'student'
),

spells as not materialized (
    select
        students.*,
        membership.school_source_id,
        {{ first_night_from('students.valid_from_seq') }} as first_night,
        {{ first_night_past('students.valid_to_seq') }} as past_night,
        1 as students_with_demographics
    from students
    inner join nights on students.district_id = nights.district_id
    inner join schools on students.district_id = schools.district_id
    cross join lateral unnest(students.org_source_ids) with ordinality as membership (school_source_id, place)
    where
        schools.names ? membership.school_source_id
        and membership.place = array_position(students.org_source_ids, membership.school_source_id)
),

counts as (
    {{ counted_by_night(
        'spells',
        ['school_source_id', 'grade'],
        [
            'students_with_demographics',
            'female',
            'male',
            'american_indian_or_alaska_native',
            'asian',
            'black_or_african_american',
            'native_hawaiian_or_other_pacific_islander',
            'white',
            'two_or_more_races',
            'hispanic_or_latino',
        ],
    ) }}
)

select
    district_id,
    school_source_id,
    grade,
    effective_date,
    sequence,
    students_with_demographics::integer as students_with_demographics,
    coalesce(female, 0)::integer as female,
    coalesce(male, 0)::integer as male,
    coalesce(american_indian_or_alaska_native, 0)::integer as american_indian_or_alaska_native,
    coalesce(asian, 0)::integer as asian,
    coalesce(black_or_african_american, 0)::integer as black_or_african_american,
    coalesce(native_hawaiian_or_other_pacific_islander, 0)::integer as native_hawaiian_or_other_pacific_islander,
    coalesce(white, 0)::integer as white,
    coalesce(two_or_more_races, 0)::integer as two_or_more_races,
    coalesce(hispanic_or_latino, 0)::integer as hispanic_or_latino
from counts
where students_with_demographics > 0
