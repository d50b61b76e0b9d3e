"""The detect role: raw topics to findings, matches, flows and dead letters, in whole confirmed batches."""

from daemon.roles.detect.role import GROUP, run

__all__ = ["GROUP", "run"]
