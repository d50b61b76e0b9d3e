"""An audit event without what nobody should read in a SIEM: contents of secrets, arguments of commands.

Bodies of secrets and config maps are shown by a list of what is harmless; all else in them is masked,
whatever its shape: whole objects, JSON patches, merge patches, tables. In other bodies what is a secret by
its place is masked; `redaction.py` does the rest by name and shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.ecs.kubernetes_command import without_arguments
from connectors.ecs.redaction import LIST_LIMIT, MASK, is_secret_key
from connectors.sources.kubernetes_request import requested
from connectors.sources.untrusted import object_at, text_at

_WITH_SECRETS: Final = frozenset({"secrets", "configmaps"})
_SECRET_KINDS: Final = frozenset({"Secret", "SecretList", "ConfigMap", "ConfigMapList"})
_BODIES: Final = ("requestObject", "responseObject")
_PLAIN: Final = frozenset({"apiVersion", "kind", "type", "immutable", "status", "code", "reason"})
_OPERATION: Final = frozenset({"op", "path", "from"})
_DESCRIBING: Final = frozenset(
    {
        "name",
        "generateName",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "selfLink",
    }
)
_STRUCTURED: Final = frozenset({"labels", "ownerReferences", "finalizers"})
_WHOLE_OBJECTS: Final = (
    "last-applied-configuration",
    "banzaicloud.com/last-applied",
    "kapp.k14s.io/original",
    "objectset.rio.cattle.io/applied",
)
"""Endings of annotations that hold the object as it was applied, contents included."""
_PATCHED: Final = "patch.webhook.admission.k8s.io/"
_ENVIRONMENT: Final = re.compile(r"/env/(?:\d+|-)/value\Z")
_QUOTED_BODY: Final = "error found in #"
"""Some decoders end an error with a piece of the body (json-iterator)."""


def readable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the record without contents of secrets and config maps, managed fields, arguments of commands.

    A record without any of these is returned as it is.
    """
    record = fields
    uri = fields.get("requestURI")
    shown = without_arguments(uri) if isinstance(uri, str) and "?" in uri else uri
    if shown is not uri:
        record = {**record, "requestURI": shown}
    said = text_at(fields, "responseStatus", "message")
    if said and (_QUOTED_BODY in said or "?" in said):
        said = without_arguments(said.partition(_QUOTED_BODY)[0])
        record = {**record, "responseStatus": {**object_at(fields, "responseStatus"), "message": said}}
    notes = fields.get("annotations")
    if isinstance(notes, dict) and any(key.startswith(_PATCHED) for key in notes):
        kept = {key: MASK if key.startswith(_PATCHED) else note for key, note in notes.items()}
        record = {**record, "annotations": kept}
    if "requestObject" in fields or "responseObject" in fields:
        hidden = _resource(fields) in _WITH_SECRETS
        bodies = {key: _body(fields[key], hidden) for key in _BODIES if key in fields}
        record = {**record, **bodies}
    return record


def _resource(fields: Mapping[str, Any]) -> str | None:
    """The resource as the API server names it, else as the path does: a caller writes neither at will."""
    return text_at(fields, "objectRef", "resource") or requested(text_at(fields, "requestURI") or "").get(
        "resource"
    )


def _body(body: Any, hidden: bool) -> Any:
    if isinstance(body, list):
        return [_operation(item, hidden) for item in body[:LIST_LIMIT]]
    if not isinstance(body, dict):
        return MASK if hidden and isinstance(body, str) else body
    hidden = hidden or text_at(body, "kind") in _SECRET_KINDS
    kept = {key: _member(key, item, hidden) for key, item in body.items()}
    spec = kept.get("spec")
    if text_at(body, "kind") == "CertificateSigningRequest" and isinstance(spec, dict):
        kept["spec"] = {**spec, "request": MASK} if "request" in spec else spec
    return kept


def _member(key: str, value: Any, hidden: bool) -> Any:
    if key == "metadata" and isinstance(value, dict):
        return _described(value, hidden)
    if key == "items" and isinstance(value, list):
        return [_body(item, hidden) for item in value[:LIST_LIMIT]]
    if not hidden or (key in _PLAIN and not isinstance(value, dict | list)):
        return value
    return concealed(value)


def _described(metadata: Mapping[str, Any], hidden: bool) -> dict[str, Any]:
    """The metadata without managed fields; annotations that hold whole objects are left out or masked."""
    kept: dict[str, Any] = {}
    for key, value in metadata.items():
        if key == "managedFields":
            continue
        if key == "annotations" and isinstance(value, dict):
            kept[key] = {
                name: concealed(note) if hidden else note
                for name, note in value.items()
                if not name.endswith(_WHOLE_OBJECTS)
            }
        else:
            plain = key in _STRUCTURED or (key in _DESCRIBING and not isinstance(value, dict | list))
            kept[key] = value if plain or not hidden else concealed(value)
    return kept


def _operation(item: Any, hidden: bool) -> Any:
    """An operation of a JSON patch; its path names keys, its value may be what they hold."""
    if not isinstance(item, dict):
        return concealed(item) if hidden else item
    path = text_at(item, "path") or ""
    last = path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    hidden = hidden or is_secret_key(last) or last.endswith(_WHOLE_OBJECTS)
    if hidden or _ENVIRONMENT.search(path):
        return {key: found if key in _OPERATION else concealed(found) for key, found in item.items()}
    value = item.get("value")
    if last == "metadata" and isinstance(value, dict):
        return {**item, "value": _described(value, hidden)}
    if last == "annotations" and isinstance(value, dict):
        return {**item, "value": _described({last: value}, hidden)[last]}
    return item


def concealed(value: Any) -> Any:
    """Return `value` with every text and number below it masked; keys and lengths of lists stay."""
    if isinstance(value, dict):
        return {key: concealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [concealed(item) for item in value[:LIST_LIMIT]]
    return value if value is None or isinstance(value, bool) else MASK
