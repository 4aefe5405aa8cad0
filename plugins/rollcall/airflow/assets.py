"""The Airflow assets that connect Rollcall's DAGs."""

from airflow.sdk import Asset, AssetAlias

ACCEPTED_DELIVERY = Asset(name="accepted_delivery", uri="rollcall://delivery/accepted")
"""Updated whenever a district's delivery is accepted; the DAG ``conform`` waits for it."""

ACCEPTED_AT_ONCE = AssetAlias(name="accepted_at_once")
"""Stands for the same where a task ends well without accepting, too: it says itself whether the asset was updated."""
