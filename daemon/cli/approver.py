"""Commands that decide something speak with the web role as an approver: never with the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
import httpx

from config.settings import Settings
from daemon.cli.database import NOT_DONE, USAGE, F, FailedError
from daemon.web.serving import is_loopback
from daemon.web.visible_text import clip, visible

TOKEN_VARIABLE: Final = "DAVYLAMP_APPROVER_TOKEN"  # noqa: S105 - a variable's name, no token
REFUSED: Final = 1
_TIMEOUT_S: Final = 15.0


def approver_options(command: F) -> F:
    """Add ``--token-file`` and ``--url``."""
    kind = click.Path(path_type=Path, dir_okay=False)
    help_text = f"A file with your approver token; else {TOKEN_VARIABLE}."
    command = click.option("--token-file", type=kind, help=help_text)(command)
    return click.option("--url", help="Where the pages are; else by the settings.")(command)


def post(
    settings: Settings,
    url: str | None,
    token_file: Path | None,
    path: str,
    body: dict[str, str] | None = None,
) -> dict[str, Any]:
    """POST as the approver and return the JSON answer.

    Raises FailedError: 1 when the rules refuse it (with the guard's name), 2 for a wrong address or no
    token, 3 when the pages cannot be reached.
    """
    address = address_of(settings, url)
    headers = {"Authorization": f"Bearer {_token(token_file)}"}
    try:
        with httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
            answer = client.post(path, json=body or {})
    except httpx.HTTPError as error:
        raise FailedError(f"{address}: {type(error).__name__}", NOT_DONE) from error
    document = _document(answer)
    if answer.is_success:
        return document
    guard, detail = str(document.get("guard", answer.status_code)), str(document.get("detail", "refused"))
    code = NOT_DONE if answer.status_code >= 500 else REFUSED
    raise FailedError(f"refused by {visible(clip(guard, 40))}: {visible(clip(detail, 400))}", code)


def address_of(settings: Settings, url: str | None) -> str:
    """Return where the pages are. A token is only sent over https or to this machine."""
    web = settings.web
    if url is None and web.base_url is None and web.port == 0:
        raise FailedError("web.port is 0, so the address is not known: give --url", USAGE)
    host = "127.0.0.1" if web.host in ("0.0.0.0", "::") else web.host  # noqa: S104 - compared, not bound
    address = url or web.base_url or f"http://{f'[{host}]' if ':' in host else host}:{web.port}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FailedError(f"{address!r} is not an address of pages", USAGE)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise FailedError(f"{address}: your token would travel in the clear; use https", USAGE)
    return address


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        where = TOKEN_VARIABLE
    else:
        where = str(file)
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise FailedError(f"{file}: cannot be read: {type(error).__name__}", USAGE) from error
    if not token or not token.isascii() or not token.isprintable():
        raise FailedError(f"{where}: no approver token there", USAGE)
    return token


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
