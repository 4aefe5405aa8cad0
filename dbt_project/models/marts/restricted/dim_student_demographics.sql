with

demographics as (
    {{ published(ref('hist_demographics')) }}
),

users as (
    {{ published(ref('hist_users')) }}
)

select
    demographics.district_id,
    demographics.source_id,
    demographics.birth_date,
    demographics.sex,
    demographics.american_indian_or_alaska_native as is_american_indian_or_alaska_native,
    demographics.asian as is_asian,
    demographics.black_or_african_american as is_black_or_african_american,
    demographics.native_hawaiian_or_other_pacific_islander as is_native_hawaiian_or_other_pacific_islander,
    demographics.white as is_white,
    demographics.demographic_race_two_or_more_races as is_two_or_more_races,
    demographics.hispanic_or_latino_ethnicity as is_hispanic_or_latino,
    demographics.country_of_birth_code,
    demographics.state_of_birth_abbreviation,
    demographics.city_of_birth,
    demographics.public_school_residence_status
from demographics
inner join users on demographics.district_id = users.district_id and demographics.source_id = users.source_id
where users.role = 'student'
