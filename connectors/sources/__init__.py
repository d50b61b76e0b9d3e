"""Bytes to events: one file a source, the envelope unwrapper, the reasons of dead letters."""
