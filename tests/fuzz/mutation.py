"""Changes that keep JSON well formed: bytes changed at random rarely come further than the decoder."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**53 + 1,
        2**63,
        -(2**63),
        1e308,
        "",
        " ",
        "-",
        "\n",
        "\x00",
        "\u202e",
        "{}",
    ),
    *(
        "2026-11-20T08:15:30Z",
        "9999-12-31T23:59:60Z",
        "10.0.0.1:65536",
        "[::1]:0",
        "::ffff:10.0.0.1",
        "arn:aws:",
    ),
    *(
        "H4sI",
        "[Truncated...]",
        "system:serviceaccount:a:b",
        "spiffe://a/ns/b/sa/c",
        "a" * 300,
        "\u00e9" * 300,
    ),
    *([], {}, [[]], [{}], {"": None}, {"a": {"a": {"a": []}}}, [None] * 30, {"kubernetes": {}}, {"log": "{"}),
)


def mutate(data: bytes, max_size: int, seed: int, plain: Callable[[bytes, int], bytes]) -> bytes:
    """Return `data` with one to three JSON values changed, or what `plain` makes of it."""
    chance = random.Random(seed)
    head, body = (data[:1], data[1:]) if data[:1] < b"\x08" else (b"", data)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return plain(data, max_size)
    if chance.random() < 0.4:
        return plain(data, max_size)
    for _ in range(chance.randint(1, 3)):
        value = _changed(value, chance)
    made = head + orjson.dumps(value)
    return made if len(made) <= max_size else plain(data, max_size)


def _changed(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return chance.choice(ODD)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    copy = dict(value) if isinstance(value, dict) else list(value)
    if isinstance(copy, dict) and chance.random() < 0.15:
        copy[chance.choice(["kubernetes", "log", "message", "Records", "items", key])] = copy.pop(key)
    elif chance.random() < 0.1:
        del copy[key]
    else:
        copy[key] = _changed(copy[key], chance)
    return copy
