"""The web role: pages, approvals, API. Holds the database's URL and the approvers' hashes, nothing else."""

from __future__ import annotations

from config.errors import ConfigurationError, Problem
from config.secret import SecretUnreadableError
from config.settings import Settings
from connectors.store.database import Database
from daemon.reloading_playbooks import LivePlaybooks
from daemon.runtime import Runtime
from daemon.web.serving import check, serve


async def run(settings: Settings, runtime: Runtime) -> None:
    """Serve until `runtime.stop` is set; at most 10 s later it has ended. Raises ConfigurationError."""
    check(settings.web)
    try:
        url = settings.response.database_url.reveal()
    except SecretUnreadableError as error:
        raise ConfigurationError([Problem("settings", "response.database_url", str(error))]) from error
    database = Database(url, role="web")
    try:
        playbooks = LivePlaybooks(settings.response)
        runtime.reloading.add(playbooks, playbooks.seen)
        await serve(settings, runtime, database, playbooks)
    finally:
        database.close()
