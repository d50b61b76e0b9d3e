"""The forward role: everything to each SIEM target, Kafka as the spool."""

from daemon.roles.forward.forwarder import group_of
from daemon.roles.forward.role import run

__all__ = ["group_of", "run"]
