"""The district files: ``dags/districts/<district_id>.yaml``, laid over ``_defaults.yaml``, typed and validated."""

from rollcall.districts.calendar import WEEKDAYS, Pause
from rollcall.districts.district import CONNECTION_PREFIX, DAG_PREFIX, DISTRICT_ID, District, dag_id_of
from rollcall.districts.limits import MIB, NO_LIMITS, Limit, LimitName, Limits, UploadLimits
from rollcall.districts.reading import (
    DEFAULTS_FILE,
    DistrictFileError,
    district_files,
    district_saying,
    load_district,
    load_districts,
    removed_districts,
    removed_file,
)

__all__ = [
    "CONNECTION_PREFIX",
    "DAG_PREFIX",
    "DEFAULTS_FILE",
    "DISTRICT_ID",
    "MIB",
    "NO_LIMITS",
    "WEEKDAYS",
    "District",
    "DistrictFileError",
    "Limit",
    "LimitName",
    "Limits",
    "Pause",
    "UploadLimits",
    "dag_id_of",
    "district_files",
    "district_saying",
    "load_district",
    "load_districts",
    "removed_districts",
    "removed_file",
]
