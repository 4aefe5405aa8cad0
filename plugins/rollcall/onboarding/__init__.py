"""Onboarding: a district's file, its account, what it logs in with, and the kit that says what to enter in its SIS."""
