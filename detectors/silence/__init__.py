"""Silence: what is usual for a source itself, and when it falls quiet, thins out, changes shape or drifts."""
