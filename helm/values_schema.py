"""Writes `helm/davylamp/values.schema.json`: the chart's own part, and `config` from the settings model.

Run `python helm/values_schema.py` after a change of either; a test fails while the file is not current.
JSON Schema draft-07 (what every Helm reads). In `config` a secret has no `value`: values end in a ConfigMap.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from config.settings import Settings
from connectors.rotation.catalogue import target_kinds

HERE: Final = Path(__file__).resolve().parent
DEFAULT_KIND: Final = "database_static_role"
TARGET: Final = HERE / "davylamp" / "values.schema.json"
_DROPPED: Final = ("title", "default", "discriminator", "format", "writeOnly")


def values_schema() -> dict[str, Any]:
    """Return the schema of all values."""
    schema: dict[str, Any] = yaml.safe_load((HERE / "values.schema.yaml").read_text(encoding="utf-8"))
    settings = Settings.model_json_schema()
    models: dict[str, Any] = settings.pop("$defs")
    models |= _target_models(models)
    models["Secret"]["properties"].pop("value")
    schema["definitions"] |= {f"config.{name}": _plain(model) for name, model in models.items()}
    schema["properties"]["config"] = _plain(settings)
    return schema


def _target_models(models: dict[str, Any]) -> dict[str, Any]:
    """Return the models of what can be rotated, and `Target` as a choice among them by `kind`.

    Each kind declares its own in its handler's file; without `kind` the first of all is meant.
    """
    found: dict[str, Any] = {}
    choices: list[dict[str, Any]] = []
    kinds = target_kinds()
    for kind, model in kinds.items():
        schema = model.model_json_schema()
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
        when: dict[str, Any] = {"properties": {"kind": {"const": kind}}}
        if kind != DEFAULT_KIND:
            when["required"] = ["kind"]
        choices.append({"if": when, "then": {"$ref": f"#/$defs/{model.__name__}"}})
    kind_only = {**models["Target"]["properties"]["kind"], "enum": list(kinds)}
    target = {"type": "object", "allOf": [{"properties": {"kind": kind_only}}, *choices]}
    return {name: model for name, model in found.items() if name not in models} | {"Target": target}


def text() -> str:
    """Return the file's content."""
    return json.dumps(values_schema(), indent=1, sort_keys=True) + "\n"


def _plain(node: Any) -> Any:
    """Bring pydantic's schema to draft-07: definitions, no siblings of a reference, no defaults."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"].replace("#/$defs/", "#/definitions/config.")}
    kept = {key: value for key, value in node.items() if key == "properties" or key not in _DROPPED}
    return {
        key: {name: _plain(item) for name, item in value.items()} if key == "properties" else _plain(value)
        for key, value in kept.items()
    }


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
