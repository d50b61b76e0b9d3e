"""The five roles: one file or folder each, with `run(settings, runtime)`."""
