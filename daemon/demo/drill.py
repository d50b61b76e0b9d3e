"""Asks for a drill as an operator does before auto mode: a proven rehearsal on the very target."""

from __future__ import annotations

import getpass

from config.settings import Settings
from connectors.store.database import Database
from connectors.store.promotion import request_drill
from daemon.demo.error import SceneError
from daemon.roles.respond.policy import policy_of


def ask_for_drill(settings: Settings, name: str, now: float) -> str:
    """Ask for a drill of the target `name` and return the action's id. Raises SceneError, StoreError."""
    target = next((t for t in settings.response.targets if t.name == name), None)
    if target is None:
        raise SceneError(f"there is no target {name}")
    database = Database(settings.response.database_url.reveal())
    try:
        return request_drill(database, target.key, now, getpass.getuser(), policy_of(settings, frozenset()))
    finally:
        database.close()
