"""One entry of a lifecycle file, written in place: every other line, and every comment, stays as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import yaml


def with_entry(text: str, rule_id: str, values: Mapping[str, str]) -> str:
    """Return `text` with the entry of `rule_id` replaced, or added at the end.

    `text` is a file that `config.lifecycle` reads. Values are written as JSON texts, which YAML reads.
    """
    block = f"{rule_id}:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in values.items())
    lines = text.splitlines(keepends=True)
    place = _lines_of(text, rule_id)
    if place is None:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        return "".join(lines) + block
    start, end = place
    return "".join([*lines[:start], block, *lines[end:]])


def replace(path: Path, text: str) -> None:
    """Write a file at once: a reader sees the old text or the new one. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _lines_of(text: str, rule_id: str) -> tuple[int, int] | None:
    """Return the first line of an entry, from 0, and the one behind its last value."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if str(key.value) == rule_id:
            return key.start_mark.line, _last_line(value) + 1
    return None


def _last_line(node: yaml.Node) -> int:
    """Return the line on which the last scalar of a node ends: its own end mark is behind the comments."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1][1])
    end: yaml.Mark = node.end_mark
    return end.line if end.column else end.line - 1
