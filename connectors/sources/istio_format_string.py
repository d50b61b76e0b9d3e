"""An Envoy format string taken apart: its operators and the literal text between them."""

from __future__ import annotations

from typing import Final, NamedTuple

from connectors.sources.istio_operator import OPERATOR, Operator, operator

FORMAT_LIMIT: Final = 4096


class FormatError(ValueError):
    """The format string cannot be turned into a parser; the message says why."""


class Item(NamedTuple):
    """A field and the literal text before it."""

    before: str
    field: Operator


def items_of(format_: str) -> tuple[list[Item], str]:
    """Return the fields of `format_`, each with the text before it, and the text at the end.

    The end of the line, also written `\\n` as configurations quote it, is left out. Raises FormatError.
    """
    if len(format_) > FORMAT_LIMIT:
        raise FormatError(f"the format is over {FORMAT_LIMIT} characters")
    format_ = format_.strip().removesuffix("\\n").rstrip()
    items: list[Item] = []
    at = 0
    for found in OPERATOR.finditer(format_):
        before = _literal(format_[at : found.start()])
        if items and not before:
            raise FormatError(f"nothing stands between two operators before %{found[1]}%")
        items.append(Item(before, operator(found[1], found[2])))
        at = found.end()
    return items, _literal(format_[at:])


def _literal(text: str) -> str:
    plain = text.replace("%%", "")
    if "%" in plain:
        raise FormatError(f"a lone % at {plain[plain.index('%') :][:20]!r}")
    return text.replace("%%", "%")
