"""Arrival: when is a delivery complete, stable, and new?"""
