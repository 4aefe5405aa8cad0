"""Triggers: what the triggerer runs while a task, or a district, waits."""
