"""Notifiers: one file a way of telling people. A file here that says NOTIFIER is in the catalogue."""
