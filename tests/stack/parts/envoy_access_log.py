"""The proxies' access logs: one file a sidecar and format, all of the same requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import yaml

Side: TypeAlias = Literal["client", "server"]
Node: TypeAlias = dict[str, Any]
SIDES: Final[tuple[Side, ...]] = ("client", "server")
FORMATS: Final = Path(__file__).resolve().parent.parent / "envoy" / "access-log.yaml"
ENVOY_DEFAULT: Final = "envoy_default"
_LOGGER: Final = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


class AccessLogs:
    """Files in `folder`; formats by name: json, text, those of `dialects` and Envoy's own default."""

    def __init__(self, folder: Path) -> None:
        """Read the formats; nothing is written."""
        said = yaml.safe_load(FORMATS.read_text(encoding="utf-8"))
        self._folder = folder
        self.formats: dict[str, str | Node | None] = {
            "json": {**said["json"], **said["peers"]},
            "text": said["text"],
            ENVOY_DEFAULT: None,
            **said["dialects"],
        }

    def file(self, side: Side, form: str) -> Path:
        """Where that sidecar writes that format."""
        return self._folder / f"{side}.{form}"

    def text(self, form: str) -> str:
        """Return the format string of a TEXT format. Raises TypeError for another."""
        said = self.formats[form]
        if not isinstance(said, str):
            raise TypeError(f"{form} is no TEXT format")
        return said

    def keys(self, form: str) -> dict[str, str]:
        """Return key (dots lead into objects) to operator of a JSON format. Raises TypeError for another."""
        said = self.formats[form]
        if not isinstance(said, dict):
            raise TypeError(f"{form} is no JSON format")
        return dict(_flat(said, ""))

    def loggers(self, side: Side) -> list[Node]:
        """Return Envoy's access loggers of that sidecar, one a format."""
        return [_logger(self.file(side, form), said) for form, said in self.formats.items()]


def _logger(path: Path, said: str | Node | None) -> Node:
    typed: Node = {"@type": _LOGGER, "path": str(path)}
    if isinstance(said, str):
        typed["log_format"] = {"text_format_source": {"inline_string": said + "\n"}}
    elif said is not None:
        typed["log_format"] = {"json_format": said}
    return {"name": "envoy.access_loggers.file", "typed_config": typed}


def _flat(said: Node, before: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in said.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(f"{before}{key}", value)]
    return found
