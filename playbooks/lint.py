"""What a playbook's text must have: its sections in order, quoted values, expected output, no loose end.

The page of a kind of credential has one section more: what to do by hand when the vault is down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jinja2 import TemplateSyntaxError, meta

from playbooks.page import ENVIRONMENT, VALUES
from playbooks.playbook import FALLBACK, SECTIONS, WITH_FALLBACK, Problem

_HEADING: Final = re.compile(r"##\s+(.+?)\s*\Z")
_FENCE: Final = re.compile(r"(`{3,})\s*(\w*)\s*\Z")
_EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}")
_MARK: Final = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "T" + "BD", "X" * 3)) + r")\b")
_LINK: Final = re.compile(r"\]\(([^)\s]*)\)")
_SHELL: Final = frozenset({"sh", "sql"})
_VAULT: Final = re.compile(r"(?:^|[|;&(]\s*|\bsudo\s+)\s*(?:bao|vault)\s")
MAX_FIRST_SCREEN: Final = 60


def sections(
    file: str, body: str, first_line: int, *, fallback: bool = False
) -> tuple[dict[str, str], list[Problem]]:
    """Return heading -> text, and what is wrong with headings. `fallback`: that section must be there."""
    found: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    current: str | None = None
    for number, line in enumerate(body.splitlines(), first_line):
        heading = _HEADING.match(line)
        if heading is None:
            if current is not None:
                found[current].append(line)
            elif line.strip():
                problems.append(
                    Problem(file, number, "body", "text before the first heading", "## " + SECTIONS[0])
                )
            continue
        name = str(heading.group(1))
        if name in found:
            problems.append(Problem(file, number, "heading", f"{name!r} twice", "each once"))
        if name not in WITH_FALLBACK:
            problems.append(Problem(file, number, "heading", repr(name), ", ".join(WITH_FALLBACK)))
        found[name], lines[name], current = [], number, name
    wanted = WITH_FALLBACK if fallback or FALLBACK in found else SECTIONS
    for name in wanted:
        if not "".join(found.get(name, ())).strip():
            problems.append(Problem(file, lines.get(name, first_line), "section", f"no {name!r}", "text"))
    if not problems and tuple(found) != wanted:
        problems.append(Problem(file, first_line, "headings", ", ".join(found), ", ".join(wanted)))
    if FALLBACK in lines:
        problems += _needs_vault(file, found[FALLBACK], lines[FALLBACK])
    return {name: "\n".join(text).strip() for name, text in found.items()}, problems


def _needs_vault(file: str, text: list[str], heading: int) -> Iterator[Problem]:
    """Refuse, in the section for a vault that is down, commands of the vault, and a section without any."""
    blocks = 0
    for number, line in enumerate(text, heading + 1):
        fence = _FENCE.match(line.strip())
        blocks += fence is not None and fence.group(2) in _SHELL
        if _VAULT.search(line):
            yield Problem(file, number, "command", repr(line.strip()[:60]), "commands that need no vault")
    if not blocks:
        yield Problem(file, heading, "section", "no command", "a sh or sql block in " + repr(FALLBACK))


def text_problems(file: str, body: str, first_line: int) -> list[Problem]:
    """Return what is wrong with the text: templates, quoting, expected output, marks, links, length."""
    problems = [*_template(file, body, first_line), *_blocks(file, body.splitlines(), first_line)]
    for number, line in enumerate(body.splitlines(), first_line):
        if mark := _MARK.search(line):
            problems.append(Problem(file, number, "text", mark.group(1), "finished text"))
        for link in _LINK.findall(line):
            if not link.startswith("https://"):
                problems.append(Problem(file, number, "link", repr(link), "an https:// address"))
    return problems


def length_problems(file: str, found: Mapping[str, str], first_line: int) -> list[Problem]:
    """Return a problem when the first two sections do not fit one screen of 60 lines."""
    lines = sum(len(found.get(name, "").splitlines()) for name in SECTIONS[:2])
    if lines <= MAX_FIRST_SCREEN:
        return []
    allowed = f"at most {MAX_FIRST_SCREEN} lines in {SECTIONS[0]!r} and {SECTIONS[1]!r}"
    return [Problem(file, first_line, "length", f"{lines} lines", allowed)]


def _template(file: str, body: str, first_line: int) -> Iterator[Problem]:
    try:
        tree = ENVIRONMENT.parse(body)
    except TemplateSyntaxError as error:
        line = first_line + error.lineno - 1
        yield Problem(file, line, "template", error.message or "an error", "Jinja2 syntax")
        return
    for name in sorted(meta.find_undeclared_variables(tree) - VALUES.keys()):
        line = next((n for n, text in enumerate(body.splitlines(), first_line) if name in text), first_line)
        yield Problem(file, line, "value", repr(name), ", ".join(sorted(VALUES)))


def _blocks(file: str, lines: list[str], first_line: int) -> Iterator[Problem]:
    """Check each line in its place: inside a shell block, inside another block, in text."""
    inside: str | None = None
    for index, line in enumerate(lines):
        number = first_line + index
        fence = _FENCE.match(line.strip())
        if fence is not None:
            if inside is None:
                inside = fence.group(2) or "text"
                continue
            if inside in _SHELL and not _expects(lines[index + 1 :]):
                yield Problem(file, number, "command", "no expected output", "a line that begins Expected:")
            inside = None
            continue
        for expression in _EXPRESSION.findall(line):
            problem = _quoting(expression.strip(), inside, line)
            if problem is not None:
                yield Problem(file, number, "value", "{{" + expression + "}}", problem)
    if inside is not None:
        yield Problem(file, first_line + len(lines) - 1, "block", "not closed", "a closing fence")


def _expects(following: list[str]) -> bool:
    return next((line for line in following if line.strip()), "").startswith("Expected:")


def _quoting(expression: str, inside: str | None, line: str) -> str | None:
    wanted = {"sh": "sh", "sql": "sqlstring"}.get(inside or "")
    if inside is not None and wanted is None:
        return "a sh or sql block, where values are quoted"
    if wanted is not None and not re.search(rf"\|\s*{wanted}\Z", expression):
        return f"the filter | {wanted} at the end"
    if inside is None and re.search(r"`[^`]*\{\{[^`]*`", line):
        return "the filter | code outside of backticks"
    return None
