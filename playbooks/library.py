"""The playbooks that are shipped and those of the operator, loaded and checked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from playbooks import front_matter, lint
from playbooks.playbook import Playbook, PlaybookError, Problem


class PlaybookText(NamedTuple):
    """A playbook file as read: its path as problems shall name it, and its text."""

    file: str
    text: str


def builtin() -> list[PlaybookText]:
    """Return the shipped playbooks, by name."""
    folder = files("playbooks") / "library"
    found = sorted(
        (item for item in folder.iterdir() if item.name.endswith(".md")), key=lambda item: item.name
    )
    return [PlaybookText(f"playbooks/library/{item.name}", item.read_text("utf-8")) for item in found]


def check(texts: Sequence[PlaybookText]) -> tuple[dict[str, Playbook], list[Problem]]:
    """Return id -> playbook of those without a problem, and every problem of all of them.

    A later text replaces an earlier one of the same id only when both are whole files of different
    origin: an operator's playbook may replace a shipped one; two of one origin are a problem.
    """
    playbooks: dict[str, Playbook] = {}
    problems: list[Problem] = []
    rules: dict[str, str] = {}
    for file, text in texts:
        playbook, body, first_line, found = front_matter.read(file, text)
        fallback = playbook is not None and bool(playbook.kinds)
        sections, wrong = lint.sections(file, body, first_line, fallback=fallback)
        found += wrong + lint.text_problems(file, body, first_line)
        found += lint.length_problems(file, sections, first_line)
        problems += found
        if playbook is None or found:
            continue
        problems += _clashes(playbook, playbooks, rules)
        playbooks[playbook.id] = playbook.model_copy(update={"sections": sections})
        rules.update(dict.fromkeys(playbook.rules, playbook.id))
    return playbooks, problems


def load(texts: Sequence[PlaybookText]) -> dict[str, Playbook]:
    """Return id -> playbook. Raises PlaybookError with every problem of every file."""
    playbooks, problems = check(texts)
    if problems:
        raise PlaybookError(tuple(problems))
    return playbooks


def _clashes(playbook: Playbook, known: Mapping[str, Playbook], rules: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    if playbook.id in known:
        other = known[playbook.id].file
        if other.startswith("playbooks/library/") == playbook.file.startswith("playbooks/library/"):
            problems.append(
                Problem(playbook.file, 1, "id", f"{playbook.id!r}, also in {other}", "each id once")
            )
    for kind in playbook.kinds:
        other = next((p for p in known.values() if kind in p.kinds and p.id != playbook.id), None)
        if other is not None:
            problems.append(
                Problem(playbook.file, 1, "kinds", f"{kind!r}, also of {other.id}", "each kind once")
            )
    for rule in playbook.rules:
        owner = rules.get(rule, playbook.id)
        if owner != playbook.id:
            problems.append(
                Problem(playbook.file, 1, "rules", f"{rule!r}, also of {owner}", "each rule once")
            )
    return problems
