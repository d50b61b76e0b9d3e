"""What a document says of itself: the id that it may leave out, and a status that forbids its use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import NAMESPACE_URL, uuid5

from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError

_PREFIX: Final = "davylamp:rule:"
_CONTENT: Final = ("title", "name", "logsource", "detection", "filter", "correlation")


def headed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with an id. Raises UnsupportedConstructError for one that is not to be used
    and MalformedRuleError for a log source that is not made of texts with something in them.

    An id is optional in Sigma. One that is left out is made of title, name, log source and detection (or
    filter, or correlation): wherever the file lies it is the same, and a rule that changes gets another.
    """
    if document.get("status") == "unsupported":
        raise UnsupportedConstructError(
            "the status is unsupported: its author says that it cannot be used",
            "Mend it, then change the status",
            "status:",
        )
    _log_source(document.get("logsource"))
    if document.get("id") is not None:
        return dict(document)
    content = json.dumps([document.get(key) for key in _CONTENT], default=str, sort_keys=False)
    return {**document, "id": str(uuid5(NAMESPACE_URL, f"{_PREFIX}{content}"))}


def _log_source(given: object) -> None:
    known = cast("dict[object, object]", given) if isinstance(given, dict) else {}
    for key in ("product", "service", "category"):
        value = known.get(key)
        if value is not None and not isinstance(value, str):
            raise MalformedRuleError(f"the log source's {key} is no text", "Write one text", f"{key}:")
        if isinstance(value, str) and not value.strip():
            raise MalformedRuleError(
                f"the log source's {key} is empty: no source has that name and the rule would never match",
                "Write its name, or leave the key out to mean any",
                f"{key}:",
            )
