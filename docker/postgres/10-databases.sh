#!/bin/bash
# Runs once, when the volume is empty: Rollcall's two roles and databases.
set -euo pipefail

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set warehouse_password `cat /run/secrets/warehouse_password`
\set airflow_password `cat /run/secrets/airflow_db_password`
create role rollcall login nosuperuser createrole password :'warehouse_password';
create role airflow login nosuperuser password :'airflow_password';
create database warehouse owner rollcall;
create database airflow owner airflow;
revoke connect, temporary on database airflow from public;
SQL
