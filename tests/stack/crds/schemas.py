"""Custom resources held to their definitions as in strict mode: types, required and unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

Node = dict[str, Any]


def problems(found: Node, definitions: Mapping[str, Node]) -> list[str]:
    """Return what is wrong with a custom resource by its definition's own OpenAPI schema."""
    definition = definitions[found["kind"]]
    group, _, version = found["apiVersion"].partition("/")
    served = {entry["name"]: entry for entry in definition["spec"]["versions"] if entry["served"]}
    if group != definition["spec"]["group"] or version not in served:
        return [f"{found['apiVersion']} is not served: {definition['spec']['group']}/{', '.join(served)} is"]
    schema = strict(served[version]["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    errors = Draft202012Validator(schema).iter_errors(found)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def strict(schema: Node) -> Node:
    """Return a structural schema as JSON Schema in which unknown fields are errors.

    Rules of structural schemas: `properties` closes an object unless the definition preserves unknown
    fields; `nullable` and `int-or-string` are spelt out; CEL rules are the server's own business.
    """
    out: Node = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            out[key] = {name: strict(child) for name, child in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            out[key] = strict(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            out[key] = [_condition(child) for child in value]
        elif not key.startswith("x-") and key != "nullable":
            out[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    if "properties" in out and not schema.get("x-kubernetes-preserve-unknown-fields"):
        out.setdefault("additionalProperties", False)
    if schema.get("nullable") and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


def _condition(schema: Node) -> Node:
    """Return a part of allOf, anyOf, oneOf or not: it adds conditions and closes nothing."""
    return {key: value for key, value in schema.items() if not key.startswith("x-") and key != "nullable"}
