"""The folder that imported rules live in: rules as they came, a manifest, a notice, their states."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from config.errors import ConfigurationError, Problem
from daemon.importing import LICENSE, LICENSE_ADDRESS, ORIGIN, Checkout, Imported
from daemon.lifecycle_file import replace, with_entry

SCHEMA: Final = "davylamp.import/1"
MANIFEST: Final = "import.json"
RULES: Final = "rules"
NOTICE: Final = "NOTICE.md"
STATES: Final = "lifecycle.yaml"
_MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Update:
    """What differs from the import before, by path; `moved` files have the same text at another path."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    same: int


def earlier(folder: Path) -> Mapping[str, Any] | None:
    """Return the manifest of the import before, None for an empty or missing folder.

    Raises ConfigurationError for a folder that holds something else, or a manifest that is none.
    """
    path = folder / MANIFEST
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigurationError([Problem(str(folder), "", "holds something else; name an empty folder")])
        return None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        document: object = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or cast("dict[str, Any]", document).get("schema") != SCHEMA:
            raise ValueError("no manifest")
        known = cast("dict[str, Any]", document)
        for one in known["documents"]:
            if not isinstance(one["path"], str) or not isinstance(one["sha256"], str):
                raise TypeError("document")
        return known
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"is no manifest of an import ({type(error).__name__}): take the folder away to begin anew"
        raise ConfigurationError([Problem(str(path), "", told)]) from error


def update(before: Mapping[str, Any] | None, taken: Sequence[Imported]) -> Update:
    """Return what an import changes."""
    old: dict[str, str] = {one["path"]: one["sha256"] for one in before["documents"]} if before else {}
    new = {one.path: one.sha256 for one in taken}
    gone, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    by_text = {old[path]: path for path in gone}
    moved = [(by_text[new[path]], path) for path in added if new[path] in by_text]
    away, there = {pair[0] for pair in moved}, {pair[1] for pair in moved}
    both = old.keys() & new.keys()
    return Update(
        tuple(path for path in added if path not in there),
        tuple(sorted(path for path in both if old[path] != new[path])),
        tuple(path for path in gone if path not in away),
        tuple(moved),
        sum(old[path] == new[path] for path in both),
    )


def write(folder: Path, checkout: Checkout, change: Update, state: str, at: str, by: str) -> None:
    """Write the rules as they came, then what is said of them, the manifest last. Raises OSError.

    Files that are gone from the checkout are taken out, their states stay. A rule of which nothing is
    said gets `state`.
    """
    rules = folder / RULES
    for one in checkout.taken:
        path = rules / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.text.encode())
    for name in (*change.gone, *(old for old, _ in change.moved)):
        path = rules / name
        if path.resolve().is_relative_to(rules.resolve()):
            path.unlink(missing_ok=True)
    _states(folder / STATES, checkout.taken, state, at, by)
    replace(folder / NOTICE, notice(checkout))
    replace(folder / MANIFEST, json.dumps(manifest(checkout), indent=1, sort_keys=True) + "\n")


def manifest(checkout: Checkout) -> dict[str, Any]:
    """Return the manifest: origin, commit, license, and each file with its authors."""
    return {
        "schema": SCHEMA,
        "origin": ORIGIN,
        "commit": checkout.commit,
        "license": LICENSE,
        "license_address": LICENSE_ADDRESS,
        "documents": [one.to_json() for one in checkout.taken],
    }


def notice(checkout: Checkout) -> str:
    """Return the notice that the license asks for: origin, license, every rule with its author."""
    commit = checkout.commit or "a commit that is not known"
    head = (
        f"# Rules of {ORIGIN}\n\nThese rules come from {ORIGIN} at {commit}, unchanged.\n"
        f"They are released under the Detection Rule License 1.1 ({LICENSE_ADDRESS}),\n"
        "which asks that authors and license go with them.\n\n"
    )
    rows = (
        f"* `{one.path}`: {rule.get('title', 'no title')}, by {rule.get('author', 'no author named')}"
        f"{', ' + rule['license'] if 'license' in rule else ''}\n"
        for one in checkout.taken
        for rule in one.rules
    )
    return head + "".join(rows)


def _states(path: Path, taken: Iterable[Imported], state: str, at: str, by: str) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {line.partition(":")[0] for line in text.splitlines() if line[:1].isalnum()}
    added = ""
    for one in taken:
        for rule in one.rules:
            rule_id = rule.get("id", "").lower()
            if rule_id and rule_id not in known:
                known.add(rule_id)
                values = {"state": state, "since": at, "by": by, "reason": f"imported from {ORIGIN}"}
                added = (
                    with_entry(added, rule_id, values)
                    if not added
                    else added + with_entry("", rule_id, values)
                )
    if added:
        replace(path, text + ("\n" if text and not text.endswith("\n") else "") + added)
