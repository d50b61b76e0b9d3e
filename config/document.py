"""A YAML document that remembers the line of each key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from config.errors import ConfigurationError, Problem

Tree: TypeAlias = "dict[str, object]"
KeyPath: TypeAlias = tuple[str | int, ...]


class Document:
    """The mapping of one file, and `places`: key path -> ``file:line``."""

    def __init__(self, tree: Tree, places: dict[KeyPath, str]) -> None:
        self.tree = tree
        self.places = places

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a YAML file. Raises ConfigurationError with file and line for each problem."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigurationError([Problem(str(path), "", f"cannot be read: {error.strerror}")]) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError([Problem(str(path), "", f"not UTF-8 at byte {error.start}")]) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Document:
        """Parse YAML `text`; `name` stands in the places. Raises ConfigurationError."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = f"{name}:{mark.line + 1}" if mark else name
            raise ConfigurationError([Problem(place, "", f"not YAML: {error.problem}")]) from error
        except yaml.YAMLError as error:
            raise ConfigurationError([Problem(name, "", f"not YAML: {error}")]) from error
        if node is None:
            return cls({}, {})
        if not isinstance(node, yaml.MappingNode):
            raise ConfigurationError([Problem(f"{name}:1", "", "the document must be a mapping of sections")])
        places: dict[KeyPath, str] = {}
        problems: list[Problem] = []
        _walk(node, (), name, places, problems)
        if problems:
            raise ConfigurationError(problems)
        return cls(_constructed(node, name), places)


def _constructed(node: yaml.Node, name: str) -> Tree:
    """Return the values; a date that is none, or a key that cannot be one, is a problem of its line."""
    loader: Any = yaml.SafeLoader("")
    try:
        return cast(Tree, loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or node.start_mark
        place = f"{name}:{mark.line + 1}"
        raise ConfigurationError([Problem(place, "", f"not YAML: {error.problem}")]) from error
    except ValueError as error:
        line = _broken_line(node)
        raise ConfigurationError([Problem(f"{name}:{line}", "", f"not YAML: {error}")]) from error
    finally:
        loader.dispose()


def _broken_line(node: yaml.Node) -> int:
    """Return the line of the first scalar that cannot be made a value."""
    if isinstance(node, yaml.ScalarNode):
        return node.start_mark.line + 1
    parts = (
        [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    )
    for part in parts:
        loader: Any = yaml.SafeLoader("")
        try:
            loader.construct_document(part)
        except ValueError:
            return _broken_line(part)
        finally:
            loader.dispose()
    return node.start_mark.line + 1


def _walk(
    node: yaml.Node, at: KeyPath, name: str, places: dict[KeyPath, str], problems: list[Problem]
) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = f"{name}:{key_node.start_mark.line + 1}"
            if key in seen:
                problems.append(Problem(place, dotted((*at, key)), "is given twice; keep one"))
            seen.add(key)
            places[(*at, key)] = place
            _walk(value_node, (*at, key), name, places, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[(*at, index)] = f"{name}:{item.start_mark.line + 1}"
            _walk(item, (*at, index), name, places, problems)


def dotted(path: KeyPath) -> str:
    """Return a key path as an operator writes it: ``response.targets[0].name``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
