"""Correlate: windows over matches and baselines over flows, on Faust tables, by event time only."""

from daemon.roles.correlate.role import run

__all__ = ["run"]
