"""What `davylamp status` tells: each role's own word, and the laws of conservation over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from config.settings import ROLES, Settings

_TIMEOUT_S = 2.0


async def collect(settings: Settings) -> dict[str, Any]:
    """Ask every role's health port; return `{"schema","roles","violations","lost_before_read"}`.

    A role that does not answer stands as `{"away": reason}`. `violations` is every broken law by name.
    """
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
        answers = await asyncio.gather(*(_ask(client, settings, role) for role in ROLES))
    roles = dict(zip(ROLES, answers, strict=True))
    return {
        "schema": "davylamp.status/1",
        "roles": roles,
        "violations": [f"{role}: {text}" for role, answer in roles.items() for text in _violations(answer)],
        "lost_before_read": roles["detect"].get("lost_before_read", {}),
    }


async def _ask(client: httpx.AsyncClient, settings: Settings, role: Any) -> dict[str, Any]:
    operation = settings.operation
    host = "127.0.0.1" if operation.health_host in ("0.0.0.0", "::") else operation.health_host  # noqa: S104
    try:
        answer = await client.get(f"http://{host}:{operation.health_ports[role]}/status")
        return answer.json()
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return {"away": f"{type(error).__name__}: {error}"}


def _violations(answer: Mapping[str, Any]) -> list[str]:
    conservation = answer.get("conservation")
    found = conservation.get("violations") if isinstance(conservation, Mapping) else None
    if isinstance(found, Mapping):
        return [f"{place}: {text}" for place, texts in found.items() for text in texts]
    return [str(text) for text in found] if isinstance(found, list) else []
