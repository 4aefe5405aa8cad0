"""Operators: the task that asks a person."""
