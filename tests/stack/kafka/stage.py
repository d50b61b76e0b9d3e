"""A broker with empty topics, and the roles' configuration for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kafka.cluster import Cluster
from kafka.documents import document
from kafka.role_child import RoleChild

from config.settings import Role, Settings
from connectors.kafka.topics import create_topics


class Stage:
    """Roles on one broker. Every child that `role` returns is stopped when `stack` closes."""

    def __init__(self, brokers: str, folder: Path, stack: ExitStack, rule: str) -> None:
        """Wipe the broker and make the topics anew; `rule` is a file of `rules/`."""
        self.cluster = Cluster(brokers)
        self.cluster.wipe()
        self.folder = folder
        self._brokers = brokers
        self._rule = rule
        self._stack = stack
        self.settings = Settings.model_validate(self.document())
        asyncio.run(create_topics(self.settings, raw=True))

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the configuration; `changes` replace whole sections."""
        return document(self._brokers, self.folder, rule=self._rule) | changes

    def role(
        self,
        role: Role,
        name: str,
        *,
        batch_records: int = 100,
        program: Sequence[str] = ("-m", "daemon"),
        **changes: Any,
    ) -> RoleChild:
        """Return a worker of a role, not started, with its files below `name`."""
        made = self.document(**changes)
        made["detection"]["batch_records"] = batch_records
        child = RoleChild(role, made, self.folder / name, program)
        self._stack.callback(child.stop)
        return child
