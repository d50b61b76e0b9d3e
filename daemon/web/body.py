"""Small bodies, read whole: forms and JSON objects of a few short texts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from daemon.web.gate import MAX_BODY
from daemon.web.refusal import RefusalError

MAX_TEXT: Final = 512
_READ_TIMEOUT_S: Final = 10.0


async def form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form. Refuses other types (415), long or strange bodies (413, 400)."""
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise RefusalError(415, "body", "Expected a form.")
    try:
        fields = parse_qs((await _bytes(request)).decode("ascii"), max_num_fields=10, errors="strict")
    except (UnicodeError, ValueError) as error:
        raise RefusalError(400, "body", "The form cannot be read.") from error
    return {name: values[0] for name, values in fields.items() if len(values[0]) <= MAX_TEXT}


async def json_texts(request: Request) -> Mapping[str, str]:
    """Return the text members of a JSON object; an empty body is an empty object."""
    raw = await _bytes(request)
    if not raw.strip():
        return {}
    if _media_type(request) != "application/json":
        raise RefusalError(415, "body", "Expected application/json.")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, "body", "The body is not JSON.") from error
    if not isinstance(document, dict):
        raise RefusalError(400, "body", "Expected a JSON object.")
    return {k: v for k, v in document.items() if isinstance(v, str) and len(v) <= MAX_TEXT}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _bytes(request: Request) -> bytes:
    read = bytearray()
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            async for chunk in request.stream():
                read += chunk
                if len(read) > MAX_BODY:
                    raise RefusalError(413, "body", f"A body may have at most {MAX_BODY} bytes.")
    except TimeoutError as error:
        raise RefusalError(408, "body", "The body did not come in time.") from error
    except ClientDisconnect as error:
        raise RefusalError(400, "body", "The body ended early.") from error
    return bytes(read)
