"""Rotations: one file a kind of credential. A file here that says HANDLER is in the catalogue."""
