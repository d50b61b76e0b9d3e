"""Front matter of a playbook file: YAML between `---` lines, each problem with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import yaml
from frontmatter.default_handlers import YAMLHandler
from pydantic import ValidationError

from playbooks.playbook import Playbook, Problem

_HANDLER = YAMLHandler()


def read(file: str, text: str) -> tuple[Playbook | None, str, int, list[Problem]]:
    """Return (the playbook without its sections, its body, the body's first line, what is wrong)."""
    if not _HANDLER.detect(text):
        return None, text, 1, [Problem(file, 1, "front matter", "none", "YAML between two lines of ---")]
    try:
        front, body = _HANDLER.split(text)
    except ValueError:
        return (
            None,
            text,
            1,
            [Problem(file, 1, "front matter", "no closing ---", "YAML between two lines of ---")],
        )
    first_line = text[: text.rindex(body)].count("\n") + 1 if body else text.count("\n") + 1
    try:
        node = yaml.compose(front, Loader=yaml.SafeLoader)
        loaded = cast(object, yaml.safe_load(front))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return None, body, first_line, [Problem(file, line, "front matter", str(error.problem), "valid YAML")]
    if not isinstance(loaded, dict):
        return None, body, first_line, [Problem(file, 2, "front matter", type(loaded).__name__, "a mapping")]
    try:
        playbook = Playbook.model_validate({**cast(dict[str, Any], loaded), "file": file})
    except ValidationError as error:
        return None, body, first_line, [_problem(file, node, detail) for detail in error.errors()]
    return playbook, body, first_line, step_problems(file, node, playbook)


def step_problems(file: str, node: yaml.Node | None, playbook: Playbook) -> list[Problem]:
    """Return what a step lacks: deadline and undo of a verb that changes something, text of a manual one."""
    problems: list[Problem] = []
    if playbook.kinds and playbook.rotation is None:
        line = line_of(node, ("kinds",))
        problems.append(Problem(file, line, "steps", "none that rotates", "a rotate.credential step"))
    needed = {
        "rotate.credential": ("mode", "deadline", "undo"),
        "contain.workload": ("deadline", "undo"),
        "manual": ("text",),
    }
    for index, step in enumerate(playbook.steps):
        for key in needed[step.verb]:
            if getattr(step, key) is None:
                line = line_of(node, ("steps", index))
                problems.append(
                    Problem(file, line, f"steps.{index}.{key}", "nothing", f"{key} of {step.verb}")
                )
    return problems


def line_of(node: yaml.Node | None, place: Sequence[str | int]) -> int:
    """Return the file's 1-based line of the deepest part of `place` that is there."""
    # The text that YAML saw starts at the end of the first line, so its line 0 is the file's line 1.
    line = 2
    for part in place:
        if node is None:
            break
        line = node.start_mark.line + 1
        node = _child(node, part)
        if node is not None:
            line = node.start_mark.line + 1
    return line


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        pairs = cast(list[tuple[yaml.Node, yaml.Node]], node.value)
        return next((value for key, value in pairs if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        items = cast(list[yaml.Node], node.value)
        return items[part] if part < len(items) else None
    return None


def _problem(file: str, node: yaml.Node | None, detail: Mapping[str, Any]) -> Problem:
    place = cast(tuple[str | int, ...], detail["loc"])
    kind = cast(str, detail["type"])
    found = "nothing" if kind == "missing" else repr(detail["input"])[:80]
    message = cast(str, detail["msg"])
    if kind == "extra_forbidden":
        message = "one of " + ", ".join(
            name for name in Playbook.model_fields if name not in ("sections", "file")
        )
    return Problem(file, line_of(node, place), ".".join(map(str, place)), found, message)
