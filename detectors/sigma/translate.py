"""pySigma's rule objects as Davylamp's; whatever cannot be kept exactly is refused by name."""

from __future__ import annotations

from typing import Final, cast

from sigma.rule import SigmaRule, SigmaRuleBase  # pyright: ignore[reportMissingTypeStubs]

from detectors.event import LogSource
from detectors.level import parse_level
from detectors.sigma.array_block import open_blocks
from detectors.sigma.condition import Condition, either, from_sigma
from detectors.sigma.document import MalformedRuleError
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import Identity, Rule

DEFAULT_LEVEL: Final = "medium"


def rule(parsed: SigmaRule, path: str, line: int | None) -> Rule:
    """Return one rule; its predicate is compiled once here, so that a refusal comes at load time.

    Raises SigmaRuleError.
    """
    source = parsed.logsource
    logsource = LogSource(source.product, source.service, source.category)
    return Rule(identity(parsed, path, line), logsource, condition(parsed))


def condition(parsed: SigmaRule) -> Condition:
    """Return the condition of a rule, or of a filter in the shape of one. Raises SigmaRuleError."""
    open_blocks(parsed)
    found = either([from_sigma(item.parsed) for item in parsed.detection.parsed_condition])
    compile_predicate(found, {})
    return found


def identity(parsed: SigmaRuleBase, path: str, line: int | None) -> Identity:
    if parsed.id is None:
        raise MalformedRuleError("the rule has no id", "Add `id:` with a new UUID")
    version, playbook = _custom(parsed.custom_attributes.get("davylamp"))
    level = DEFAULT_LEVEL if parsed.level is None else str(parsed.level.name).lower()
    tags = tuple(f"{tag.namespace}.{tag.name}" for tag in parsed.tags)
    techniques = [tag.name.upper() for tag in parsed.tags if tag.namespace == "attack"]
    return Identity(
        id=str(parsed.id),
        name=parsed.name,
        title=parsed.title,
        description=parsed.description or "",
        level=parse_level(level),
        attack=tuple(name for name in techniques if name[:1] == "T" and name[1:2].isdigit()),
        tags=tags,
        falsepositives=tuple(str(item) for item in parsed.falsepositives),
        references=tuple(str(item) for item in parsed.references),
        version=version,
        playbook=playbook,
        path=path,
        line=line,
    )


def _custom(value: object) -> tuple[int, str | None]:
    """Return version and playbook of the custom field ``davylamp: {playbook, version}``."""
    if value is None:
        return 1, None
    if not isinstance(value, dict):
        raise MalformedRuleError("`davylamp` is no mapping", "Write {playbook: ID, version: 1}", "davylamp")
    given = cast("dict[str, object]", value)
    if unknown := set(given) - {"playbook", "version"}:
        names = ", ".join(sorted(map(str, unknown)))
        raise MalformedRuleError(f"`davylamp` has unknown keys: {names}", "Use playbook, version", "davylamp")
    version, playbook = given.get("version", 1), given.get("playbook")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MalformedRuleError(
            "`davylamp.version` is no whole number from 1", "Write version: 1", "version"
        )
    if playbook is not None and not isinstance(playbook, str):
        raise MalformedRuleError("`davylamp.playbook` is no text", "Name a playbook", "playbook")
    return version, playbook
