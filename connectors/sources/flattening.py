"""Values nested deeper than the rest of the program walks: what lies too deep becomes its JSON as text."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import orjson

_CONTAINERS: Final = (dict, list)


class _Written(NamedTuple):
    """JSON that stands between values."""

    text: bytes


def flattened(value: Any, levels: int) -> Any:
    """Return `value` with each object and list below `levels` levels of nesting replaced by its JSON text.

    `value` is changed in place. Nothing is lost: a rule that searches the text of all values still finds it.
    """
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(levels - 1):
        level = [inner for outer in level for inner in _values(outer) if isinstance(inner, _CONTAINERS)]
    for outer in level:
        places = outer if isinstance(outer, dict) else range(len(cast("list[Any]", outer)))
        for place in places:
            if isinstance(outer[place], _CONTAINERS):
                outer[place] = written(outer[place]).decode()
    return value


def written(value: Any) -> bytes:
    """Return the compact JSON of a value that is nested at any depth, without recursion."""
    out: list[bytes] = []
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, _Written):
            out.append(item.text)
        elif isinstance(item, dict):
            todo.append(_Written(b"}"))
            pairs = list(cast("dict[str, Any]", item).items())
            for number in range(len(pairs) - 1, -1, -1):
                key, inner = pairs[number]
                todo += (inner, _Written((b"," if number else b"{") + orjson.dumps(key) + b":"))
            if not pairs:
                out.append(b"{")
        elif isinstance(item, list):
            todo.append(_Written(b"]"))
            inners = cast("list[Any]", item)
            for number in range(len(inners) - 1, -1, -1):
                todo += (inners[number], _Written(b"," if number else b"["))
            if not inners:
                out.append(b"[")
        else:
            out.append(orjson.dumps(item))
    return b"".join(out)


def _values(value: Any) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else value
