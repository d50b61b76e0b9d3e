"""The shipped index templates of a product: one JSON file each, below `templates/PRODUCT`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

Kind: TypeAlias = Literal["component", "index"]
_FOLDER: Final = Path(__file__).parent / "templates"
_PATHS: Final[Mapping[Kind, str]] = {"component": "/_component_template/", "index": "/_index_template/"}
_LISTS: Final[Mapping[Kind, tuple[str, str]]] = {
    "component": ("component_templates", "component_template"),
    "index": ("index_templates", "index_template"),
}


@dataclass(frozen=True, slots=True)
class Template:
    """One template as it is sent; `body` None: the operator's own, made empty where it must be there."""

    kind: Kind
    name: str
    body: Mapping[str, Any] | None

    @property
    def path(self) -> str:
        """Where the product keeps it."""
        return f"{_PATHS[self.kind]}{self.name}"

    def installed(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the body of this template in the answer to GET of `path`; {} when it is not there."""
        names, inner = _LISTS[self.kind]
        found: object = answer.get(names)
        for item in cast(list[Any], found) if isinstance(found, list) else []:
            body: object = (
                item.get(inner) if isinstance(item, dict) and item.get("name") == self.name else None
            )
            if isinstance(body, dict):
                return cast(dict[str, Any], body)
        return {}


def templates(product: str) -> tuple[Template, ...]:
    """Return the templates in the order in which they must be made: what is composed of others comes last.

    An operator's own component (`@custom`) that the product does not let be missing stands before them.
    """
    shipped = [_read(path) for path in sorted((_FOLDER / product).glob("*.json"))]
    parts = [template for template in shipped if template.kind == "component"]
    whole = [template for template in shipped if template.kind == "index"]
    have = {template.name for template in parts}
    owned: dict[str, Template] = {}
    for template in whole:
        body = template.body or {}
        for name in body["composed_of"]:
            if name not in have and name not in body.get("ignore_missing_component_templates", ()):
                owned[name] = Template("component", name, None)
    return (*parts, *owned.values(), *whole)


def _read(path: Path) -> Template:
    kind, _, name = path.stem.partition(".")
    return Template(cast(Kind, kind), name, json.loads(path.read_text(encoding="utf-8")))
