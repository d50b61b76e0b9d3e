"""Consumers: who uses a credential, by an inventory file and by what is learned (`docs/orderly.md`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final, Self, cast

from pydantic import Field, ValidationError, model_validator

from config.document import Document, dotted
from config.errors import ConfigurationError, Problem
from config.section import Section

MAX_CONSUMERS: Final = 512
_HOW: Final = ("application", "address", "workload", "entity", "account")


class ConsumerEntry(Section):
    """One consumer of a target, and how it is recognised: `application` and `address` are of a database
    session (`*` and `?` count; a network), `workload` is ``namespace/name``, `entity` the vault entity's id,
    `account` the service account behind it, ``namespace/name``.

    `expected` false: it need not be seen with the new credential; with the old one it counts all the same.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@/+:-]{0,99}$")
    application: str | None = Field(default=None, min_length=1, max_length=64)
    address: IPv4Network | IPv6Network | None = None
    workload: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}$")
    entity: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,64}$")
    account: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}$")
    expected: bool = True

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if all(getattr(self, key) is None for key in _HOW):
            raise ValueError(f"says not how it is recognised: give one of {', '.join(_HOW)}")
        if self.application is not None and not self.application.strip("*? "):
            raise ValueError("application: everybody is called so; no other consumer would be seen")
        if self.address is not None and self.address.prefixlen == 0:
            raise ValueError("address: everybody is there; no other consumer would be seen")
        return self


class Consumers(Section):
    """`inventory`: files of consumers by target. `learned_s`: who read the credential in the vault within so
    many seconds counts as a consumer. `window_s`: for so long nobody may be seen on the old credential.
    """

    inventory: tuple[Path, ...] = ()
    learned_s: float = Field(default=86_400.0, ge=0, le=2_592_000)
    window_s: float = Field(default=10.0, ge=0, le=3600)


def read_consumers(paths: Iterable[Path], targets: Iterable[str]) -> dict[str, tuple[ConsumerEntry, ...]]:
    """Return target key -> its consumers, of all files: ``kind:mount/name: [{name: .., ..}]``.

    `targets` are the keys there are. Raises ConfigurationError with every problem of every file: a target
    that is none, a consumer that says not how it is recognised, a name twice.
    """
    known = frozenset(targets)
    found: dict[str, tuple[ConsumerEntry, ...]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            document = Document.read(path)
        except ConfigurationError as error:
            problems += error.problems
            continue
        for key, listed in document.tree.items():
            target, place = str(key), document.places.get((str(key),), str(path))
            if target not in known:
                text = "is no configured target (davylamp targets list shows them)"
                problems.append(Problem(place, target[:200], text))
            elif not isinstance(listed, list):
                problems.append(Problem(place, target, "must be a list of consumers"))
            else:
                entries = _entries(cast("list[object]", listed), target, document, problems)
                found[target] = (*found.get(target, ()), *entries)
    problems += _unfit(found)
    if problems:
        raise ConfigurationError(problems)
    return found


def _entries(
    listed: list[object], target: str, document: Document, problems: list[Problem]
) -> list[ConsumerEntry]:
    good: list[ConsumerEntry] = []
    for index, one in enumerate(listed):
        place = document.places.get((target, index), "")
        try:
            good.append(ConsumerEntry.model_validate(one))
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False, include_context=False):
                where = dotted((target, index, *item["loc"]))
                problems.append(Problem(place, where, str(item["msg"])))
    return good


def _unfit(found: Mapping[str, tuple[ConsumerEntry, ...]]) -> list[Problem]:
    problems: list[Problem] = []
    for target, entries in found.items():
        names = [entry.name for entry in entries]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems.append(Problem("consumers", target, f"named twice: {', '.join(twice[:8])}"))
        if len(names) > MAX_CONSUMERS:
            problems.append(Problem("consumers", target, f"has more than {MAX_CONSUMERS} consumers"))
    return problems
