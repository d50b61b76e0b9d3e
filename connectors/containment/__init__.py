"""Containments: one file a verb. A file here that says CONTAINMENT is in the catalogue."""
