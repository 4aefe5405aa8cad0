"""Exports: the published roster as files, read with the rights of a role that may see it."""
