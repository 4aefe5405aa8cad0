select day::date as date_day
from generate_series(date '2020-07-01', date '2039-06-30', interval '1 day') as day
