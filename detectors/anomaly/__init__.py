"""Baselines: what a subject has reached before, and how a first time is said."""
