"""The web role: pages, approvals, API. Holds the database's URL and the approvers' hashes, nothing else."""

from __future__ import annotations

from config.errors import ConfigurationError, Problem
from config.secret import SecretUnreadableError
from config.settings import Settings
from connectors.store.database import Database
from daemon.playbook_library import playbook_texts
from daemon.runtime import Runtime
from daemon.web.serving import check, serve
from playbooks.library import load
from playbooks.playbook import Playbook, PlaybookError


async def run(settings: Settings, runtime: Runtime) -> None:
    """Serve until `runtime.stop` is set; at most 10 s later it has ended. Raises ConfigurationError."""
    check(settings.web)
    try:
        url = settings.response.database_url.reveal()
    except SecretUnreadableError as error:
        raise ConfigurationError([Problem("settings", "response.database_url", str(error))]) from error
    database = Database(url, role="web")
    try:
        await serve(settings, runtime, database, _playbooks(settings))
    finally:
        database.close()


def _playbooks(settings: Settings) -> dict[str, Playbook]:
    response = settings.response
    try:
        return load(playbook_texts(response.playbooks, shipped=response.builtin_playbooks))
    except PlaybookError as error:
        problems = [
            Problem(f"{p.file}:{p.line}", p.key, f"found {p.found}; allowed: {p.allowed}")
            for p in error.problems
        ]
        raise ConfigurationError(problems) from error
