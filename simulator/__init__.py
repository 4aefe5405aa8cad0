"""Plays a district's student information system: Aeries-like extracts, night after night, and the ways they go wrong.

Everything follows from a profile (a seed and a size) and the number of a night: the same two always give the same
bytes.
"""
