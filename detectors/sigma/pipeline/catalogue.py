"""What a pipeline may hold: each transformation and condition with its parameters, as pySigma 1.5 has them.

A parameter is `Kind` and whether it must be given. What only makes sense for a query, or would run code or
templates, stands in `REFUSED` with the reason and the way out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "any", "flag", "items", "list", "names", "pattern", "scalar", "search", "tag", "text", "texts", "words"
]
"""`names`: field name (or null) -> name or names; `words`: text -> text or texts; `texts`: a text or a list;
`list`: a list of texts; `search`: as in a rule."""


class Parameter(NamedTuple):
    """One parameter: its kind, whether it must be given, and the only values where there are such."""

    kind: Kind
    needed: bool = False
    choices: tuple[str, ...] = ()


Parameters: TypeAlias = Mapping[str, Parameter]

_NEEDED_TEXT: Final = Parameter("text", True)
_TEXT: Final = Parameter("text")
_FLAG: Final = Parameter("flag")
_LIST: Final = Parameter("list")
_PLACEHOLDERS: Final[Parameters] = {"include": _LIST, "exclude": _LIST}
_LOGSOURCE: Final[Parameters] = {"category": _TEXT, "product": _TEXT, "service": _TEXT}
_ORDER: Final = Parameter("text", False, ("eq", "ne", "gte", "gt", "lte", "lt"))
_SOURCE: Final[Parameters] = {
    **_PLACEHOLDERS,
    "format": Parameter("text", False, ("plaintext", "csv", "json")),
    "filter": Parameter("pattern"),
    "csv_column": Parameter("scalar"),
    "csv_has_header": _FLAG,
    "jq_expression": _TEXT,
}

SOURCES: Final[Mapping[str, Parameters]] = {
    "file_placeholders": {**_SOURCE, "path": _NEEDED_TEXT},
    "http_placeholders": {
        **_SOURCE,
        "url": _NEEDED_TEXT,
        "method": Parameter("text", False, ("GET",)),
        "timeout": Parameter("scalar"),
        "headers": Parameter("words"),
        "params": Parameter("words"),
        "max_body_size": Parameter("scalar"),
    },
    "command_placeholders": {
        **_SOURCE,
        "cmd": Parameter("texts", True),
        "timeout": Parameter("scalar"),
        "max_stdout": Parameter("scalar"),
    },
}
"""Placeholder values from outside: off unless the operator's settings name the very source."""

TRANSFORMATIONS: Final[Mapping[str, Parameters]] = {
    "add_condition": {
        "conditions": Parameter("search", True),
        "name": _TEXT,
        "template": _FLAG,
        "negated": _FLAG,
    },
    "add_field": {"field": Parameter("texts", True)},
    "case": {"method": Parameter("text", False, ("lower", "upper", "snake_case"))},
    "change_logsource": _LOGSOURCE,
    "convert_type": {"target_type": Parameter("text", True, ("str", "num"))},
    "detection_item_failure": {"message": _NEEDED_TEXT},
    "drop_detection_item": {},
    "extract_fields": {
        "regex": Parameter("pattern", True),
        "field_prefix": _TEXT,
        "preserve_unmatched": _FLAG,
    },
    "field_name_mapping": {"mapping": Parameter("names", True)},
    "field_name_prefix": {"prefix": _NEEDED_TEXT},
    "field_name_prefix_mapping": {"mapping": Parameter("words", True)},
    "field_name_suffix": {"suffix": _NEEDED_TEXT},
    "field_name_transform": {
        "transform_func": Parameter("text", True, ("lower", "upper", "snake_case")),
        "mapping": Parameter("names"),
    },
    "hashes_fields": {
        "valid_hash_algos": Parameter("list", True),
        "field_prefix": _TEXT,
        "drop_algo_prefix": _FLAG,
        "field_to_parse": _LIST,
    },
    "map_string": {"mapping": Parameter("words", True)},
    "nest": {"items": Parameter("items", True)},
    "regex": {
        "method": Parameter("text", False, ("plain", "ignore_case_flag", "ignore_case_brackets")),
    },
    "remove_field": {"field": Parameter("texts", True)},
    "replace_string": {
        "regex": Parameter("pattern", True),
        "replacement": _NEEDED_TEXT,
        "skip_special": _FLAG,
        "interpret_special": _FLAG,
    },
    "rule_failure": {"message": _NEEDED_TEXT},
    "set_custom_attribute": {"attribute": _NEEDED_TEXT, "value": Parameter("any", True)},
    "set_field": {"fields": Parameter("list", True)},
    "set_state": {"key": _NEEDED_TEXT, "val": Parameter("scalar", True)},
    "set_value": {
        "value": Parameter("scalar", True),
        "force_type": Parameter("text", False, ("str", "num")),
    },
    "strict_field_mapping_failure": {},
    "value_placeholders": _PLACEHOLDERS,
    "wildcard_placeholders": _PLACEHOLDERS,
    **SOURCES,
}

CONDITIONS: Final[Mapping[str, Mapping[str, Parameters]]] = {
    "rule": {
        "contains_detection_item": {"field": _NEEDED_TEXT, "value": Parameter("scalar", True)},
        "contains_field": {"field": _NEEDED_TEXT},
        "is_sigma_correlation_rule": {},
        "is_sigma_rule": {},
        "logsource": _LOGSOURCE,
        "processing_item_applied": {"processing_item_id": _NEEDED_TEXT},
        "processing_state": {"key": _NEEDED_TEXT, "val": Parameter("scalar", True), "op": _ORDER},
        "rule_attribute": {
            "attribute": _NEEDED_TEXT,
            "value": Parameter("scalar", True),
            "op": Parameter("text", False, (*_ORDER.choices, "in", "not_in")),
        },
        "tag": {"tag": Parameter("tag", True)},
    },
    "detection_item": {
        "contains_wildcard": {"cond": Parameter("text", True, ("any", "all"))},
        "is_null": {"cond": Parameter("text", True, ("any", "all"))},
        "match_string": {
            "cond": Parameter("text", True, ("any", "all")),
            "pattern": Parameter("pattern", True),
            "negate": _FLAG,
        },
        "match_value": {"cond": Parameter("text", True, ("any", "all")), "value": Parameter("scalar", True)},
        "processing_item_applied": {"processing_item_id": _NEEDED_TEXT},
        "processing_state": {"key": _NEEDED_TEXT, "val": Parameter("scalar", True), "op": _ORDER},
    },
    "field_name": {
        "exclude_fields": {
            "fields": Parameter("list", True),
            "mode": Parameter("text", False, ("plain", "re")),
        },
        "include_fields": {
            "fields": Parameter("list", True),
            "mode": Parameter("text", False, ("plain", "re")),
        },
        "processing_item_applied": {"processing_item_id": _NEEDED_TEXT},
        "processing_state": {"key": _NEEDED_TEXT, "val": Parameter("scalar", True), "op": _ORDER},
    },
}

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "query_expression_placeholders": (
        "puts a piece of a query language into the rule, which only a query's backend reads",
        "give the values: value_placeholders and `vars`, or detection.placeholders in the settings",
    ),
}
"""Transformations that are refused by name: the reason, and the way out."""

QUERY_KEYS: Final[Mapping[str, str]] = {
    "postprocessing": "alters the text of a query, and here a rule is evaluated, not made a query",
    "finalizers": "alter the text of queries, and here a rule is evaluated, not made a query",
}
"""Sections of a pipeline file that are refused by name. Their templates are never read."""

TOP: Final = ("name", "priority", "vars", "transformations", "allowed_backends")
