"""No DAG: shows a mistake in a district's file as an import error in Airflow's UI.

It stands in a file of its own because Airflow stops scheduling every DAG of a file that has an import error.
"""

from airflow.sdk import get_parsing_context

from rollcall.districts import DistrictFileError, load_districts
from rollcall.settings import settings

if get_parsing_context().dag_id is None:
    mistakes = [
        str(found) for found in load_districts(settings().districts_dir) if isinstance(found, DistrictFileError)
    ]
    if mistakes:
        raise DistrictFileError("These districts have no DAG until their file is fixed:\n" + "\n".join(mistakes))
