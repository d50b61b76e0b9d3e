"""What SigmaHQ's SQLite backend of pySigma says: a table of flattened events, one query a rule."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oracle_values import Placeholders
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation


def column(path: str) -> str:
    """Return the column of a field: SQLite's names have no case, Sigma's have."""
    return path if path == path.casefold() else f"{path}^"


def renamed(search: Any) -> Any:
    """Return a detection with the fields' names as columns."""
    if isinstance(search, list):
        return [renamed(part) for part in search]
    if not isinstance(search, dict):
        return search
    out: dict[str, Any] = {}
    for key, value in search.items():
        field, *modifiers = key.split("|")
        known = value if isinstance(value, list) else [value]
        refers = "fieldref" in modifiers
        out["|".join([column(field), *modifiers])] = [column(name) for name in known] if refers else value
    return out


def flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and cells, as tools around this backend do: lists as JSON, booleans as words."""
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from flattened(inner, f"{prefix}{key}.")
        elif isinstance(inner, list | dict):
            yield prefix + key, json.dumps(inner, separators=(",", ":"), ensure_ascii=False)
        elif isinstance(inner, bool):
            yield prefix + key, "true" if inner else "false"
        elif isinstance(inner, int) and abs(inner) >= 2**63:
            yield prefix + key, float(inner)
        else:
            yield prefix + key, inner


class Database:
    """Events as rows; columns keep their types and compare ASCII letters without regard to case."""

    def __init__(
        self,
        events: Sequence[Mapping[str, Any]],
        paths: Sequence[str],
        aliases: Mapping[str, str],
        placeholders: Placeholders,
    ) -> None:
        rows = [{column(name): cell for name, cell in flattened(fields)} for fields in events]
        for row in rows:
            row |= {alias: row.get(path) for alias, path in aliases.items()}
        columns = list(dict.fromkeys([*map(column, paths), *(name for row in rows for name in row)]))
        self._connection = sqlite3.connect(":memory:")
        self._connection.create_function("regexp", 2, _regexp, deterministic=True)
        names = ", ".join(f'"{name}" COLLATE NOCASE' for name in columns)
        self._connection.execute(f"CREATE TABLE logs ({names})")
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(
            f"INSERT INTO logs VALUES ({marks})",
            [[row.get(name) for name in columns] for row in rows],
        )
        items = [ProcessingItem(ValueListPlaceholderTransformation(include=sorted(placeholders)))]
        pipeline = ProcessingPipeline(items=items, vars={name: list(v) for name, v in placeholders.items()})
        make: Any = sqliteBackend
        self._backend = make(processing_pipeline=pipeline)

    def matched(self, document: Mapping[str, Any]) -> frozenset[int] | None:
        """Return the places of the events that match, from 0; None when the backend has no query for it."""
        detection = {name: renamed(search) for name, search in document["detection"].items()}
        try:
            rules = SigmaCollection.from_dicts([{**document, "detection": detection}])
            queries = self._backend.convert(rules)
            wheres = [query.split(" WHERE ", 1)[1] for query in queries]
            found = [
                row[0] - 1
                for where in wheres
                for row in self._connection.execute(f"SELECT rowid FROM logs WHERE {where}")
            ]
        except (SigmaError, sqlite3.Error, NotImplementedError):
            return None
        return frozenset(found)

    def close(self) -> None:
        """Give the table back."""
        self._connection.close()


def _regexp(expression: str, value: object) -> bool:
    return value is not None and re.search(expression, str(value)) is not None
