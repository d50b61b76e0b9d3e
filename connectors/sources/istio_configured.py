"""The sources as the configuration has them; only Istio's access logs have formats of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from config.errors import ConfigurationError, Problem
from config.istio import Istio
from connectors.sources.catalogue import profile
from connectors.sources.istio_access import IstioAccess
from connectors.sources.istio_format import TextFormat
from connectors.sources.istio_format_string import FormatError
from connectors.sources.istio_json import FieldMap
from connectors.sources.source import Source

T = TypeVar("T")


def configured(kind: str, istio: Istio) -> Source:
    """Return the source of `kind`; that of the catalogue unless `istio` names formats.

    Raises UnknownSourceError, and ConfigurationError with every format that cannot be read.
    """
    source = profile(kind)
    if not isinstance(source, IstioAccess) or not (istio.text_formats or istio.json_fields):
        return source
    problems: list[Problem] = []

    def made(key: str, make: Callable[[], T]) -> list[T]:
        try:
            return [make()]
        except FormatError as error:
            problems.append(Problem("settings", f"istio.{key}", str(error)))
            return []

    formats = [
        known
        for index, text in enumerate(istio.text_formats)
        for known in made(f"text_formats.{index}", lambda text=text: TextFormat(text))
    ]
    fields = made("json_fields", lambda: FieldMap(istio.json_fields)) if istio.json_fields else []
    if problems:
        raise ConfigurationError(problems)
    return IstioAccess(formats, fields[0] if fields else None)
