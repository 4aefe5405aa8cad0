{%- set attributes = [
    'birth_date', 'sex', 'american_indian_or_alaska_native', 'asian', 'black_or_african_american',
    'native_hawaiian_or_other_pacific_islander', 'white', 'demographic_race_two_or_more_races',
    'hispanic_or_latino_ethnicity', 'country_of_birth_code', 'state_of_birth_abbreviation', 'city_of_birth',
    'public_school_residence_status'
] -%}

with

landed as (
    {{ landed('demographics', 'demographics') }}
),

typed as (
    select
        district_id,
        delivery_id,
        sequence,
        {{ trimmed('sourced_id') }} as source_id,
        {{ is_to_be_deleted() }} as is_to_be_deleted,
        {{ typed('birth_date', 'date') }} as birth_date,
        {{ enumeration('sex') }} as sex,
        {{ typed('american_indian_or_alaska_native', 'boolean') }} as american_indian_or_alaska_native,
        {{ typed('asian', 'boolean') }} as asian,
        {{ typed('black_or_african_american', 'boolean') }} as black_or_african_american,
        {{ typed('native_hawaiian_or_other_pacific_islander', 'boolean') }}
            as native_hawaiian_or_other_pacific_islander,
        {{ typed('white', 'boolean') }} as white,
        {{ typed('demographic_race_two_or_more_races', 'boolean') }} as demographic_race_two_or_more_races,
        {{ typed('hispanic_or_latino_ethnicity', 'boolean') }} as hispanic_or_latino_ethnicity,
        {{ trimmed('country_of_birth_code') }} as country_of_birth_code,
        {{ trimmed('state_of_birth_abbreviation') }} as state_of_birth_abbreviation,
        {{ trimmed('city_of_birth') }} as city_of_birth,
        {{ trimmed('public_school_residence_status') }} as public_school_residence_status,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
)

select
    *,
    {{ row_hash(attributes) }} as row_hash
from typed
