"""What the models' files say is what the database says: comments for analysts, and no column that nobody described."""

import json
from typing import Any

from helpers.deliveries import query
from helpers.house_rules import layer, models

from rollcall.settings import settings

COLUMNS = """
    select pg_namespace.nspname || '.' || pg_class.relname, pg_attribute.attname,
        obj_description(pg_class.oid, 'pg_class'), col_description(pg_class.oid, pg_attribute.attnum)
    from pg_attribute
    inner join pg_class on pg_attribute.attrelid = pg_class.oid
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
    where pg_namespace.nspname in ('history', 'roster', 'roster_restricted')
        and pg_class.relkind in ('r', 'v') and pg_attribute.attnum > 0 and not pg_attribute.attisdropped
"""


def test_the_database_says_what_the_models_files_say(warehouse_url: str) -> None:
    manifest: dict[str, Any] = json.loads((settings().state_dir / "dbt" / "target" / "manifest.json").read_text())
    said: dict[str, dict[str, Any]] = {}
    for relation, column, of_relation, of_column in query(warehouse_url, COLUMNS):
        said.setdefault(relation, {"": of_relation})[column] = of_column
    kept = [model for model in models(manifest) if layer(model) in ("history", "marts")]
    for model in kept:
        found = said[f"{model['schema']}.{model['name']}"]
        columns = {column["name"]: column["description"] for column in model["columns"].values()}
        assert found.keys() - {""} == columns.keys(), model["name"]
        assert found == {"": model["description"], **columns}, model["name"]
    marts = {relation for relation in said if relation.startswith("roster")}
    assert marts == {f"{model['schema']}.{model['name']}" for model in models(manifest) if layer(model) == "marts"}
