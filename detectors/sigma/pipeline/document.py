"""A pipeline file as text, checked for what YAML can be abused for, then read with the line of each key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import yaml

from config.document import Document
from config.errors import ConfigurationError, Problem

MAX_TEXT: Final = 1 << 20
MAX_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class PipelineDocument:
    """One pipeline file: `path` is only a name for messages, `text` its content."""

    path: str
    text: str


def opened(document: PipelineDocument) -> Document:
    """Return the document with the place of each key.

    Raises ConfigurationError for more than 1 MiB, aliases, tags, more than one document, nesting deeper
    than 24, keys that stand twice, and what is no mapping.
    """
    if len(document.text) > MAX_TEXT:
        raise ConfigurationError([Problem(document.path, "", "is larger than 1 MiB; split it")])
    try:
        _check(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{document.path}:{mark.line + 1}" if mark else document.path
        raise ConfigurationError([Problem(place, "", f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise ConfigurationError([Problem(document.path, "", f"not YAML: {error}")]) from error
    try:
        return Document.parse(document.text, document.path)
    except (ValueError, TypeError) as error:
        if isinstance(error, ConfigurationError):
            raise
        # A date that is none, or a key that cannot be one.
        raise ConfigurationError(
            [Problem(document.path, "", f"not YAML that can be read: {error}")]
        ) from error


def _check(document: PipelineDocument) -> None:
    depth = documents = 0
    for event in yaml.parse(document.text, Loader=yaml.SafeLoader):
        refused = ""
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            refused = "a second document; one pipeline a file" if documents > 1 else ""
        elif isinstance(event, yaml.AliasEvent):
            refused = f"the alias *{event.anchor}; write the part out"
        elif isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) not in (None, "!"):
            refused = "a YAML tag; leave it out"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            refused = refused or (f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else "")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if refused:
            mark = event.start_mark
            place = f"{document.path}:{mark.line + 1}" if mark else document.path
            raise ConfigurationError([Problem(place, "", refused)])
