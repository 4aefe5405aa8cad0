"""Sensors: the tasks that wait for a delivery and for its publication."""
