"""The respond role."""

from daemon.roles.respond.role import run

__all__ = ["run"]
