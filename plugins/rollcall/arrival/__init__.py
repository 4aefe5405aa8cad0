"""Arrival: when is a delivery complete, at rest, and new?"""
