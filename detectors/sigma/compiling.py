"""One rule file compiled through pySigma. Imported only when a file must be compiled: pySigma is heavy."""

from __future__ import annotations

from collections.abc import Iterable

from sigma.correlations import SigmaCorrelationRule
from sigma.filters import SigmaFilter
from sigma.rule import SigmaDetections, SigmaRule  # pyright: ignore[reportMissingTypeStubs]

from detectors.event import LogSource
from detectors.sigma import translate
from detectors.sigma.array_block import open_blocks
from detectors.sigma.compiled import (
    CompiledFile,
    CompiledFilter,
    CompiledRule,
    CorrelationText,
    Item,
    Other,
    Position,
)
from detectors.sigma.document import Refusal, RuleDocument, SigmaRuleError, UnsupportedConstructError
from detectors.sigma.placeholders import fill
from detectors.sigma.preparation import UNPREPARED, Preparation
from detectors.sigma.reading import ESCAPES, Read, read, sigma_refusal


def compile_file(document: RuleDocument, preparation: Preparation = UNPREPARED) -> CompiledFile:
    """Return what a file gives. All that is wrong stands in its refusals. Raises nothing."""
    items: list[Item] = []
    refusals: list[Refusal] = []
    others: list[Other] = []
    for found in read(document):
        if isinstance(found, Refusal):
            refusals.append(found)
        elif isinstance(found, Other):
            others.append(found)
        else:
            item = _item(found, preparation)
            if isinstance(item, Refusal):
                refusals.append(item)
            else:
                items.append(item)
    return CompiledFile(tuple(items), tuple(refusals), tuple(others))


def _item(found: Read, preparation: Preparation) -> Item | Refusal:
    if found.parsed.id is None:
        return found.place.refusal("the rule has no id", "Add `id:` with a new UUID")
    try:
        if isinstance(found.parsed, SigmaRule):
            return _rule(found, found.parsed, preparation)
        if isinstance(found.parsed, SigmaFilter):
            return _filter(found, found.parsed, preparation)
        return _correlation(found, found.parsed)
    except SigmaRuleError as error:
        return found.place.refused(error)
    except ESCAPES as error:
        return sigma_refusal(found.place, error, "condition:")


def _rule(found: Read, parsed: SigmaRule, preparation: Preparation) -> CompiledRule:
    _prepare(parsed, preparation)
    if parsed.taxonomy != "sigma" and not preparation.pipelines:
        raise UnsupportedConstructError(
            f"the taxonomy is {parsed.taxonomy}, whose names no event here has",
            "Give a processing pipeline that maps them (detection.pipelines), or write it in Sigma's own",
            "taxonomy:",
        )
    rule = translate.rule(parsed, found.place.path, found.place.first_line)
    return CompiledRule(_position(found, ()), rule.id, parsed.name, rule)


def _prepare(parsed: SigmaRule, preparation: Preparation) -> None:
    open_blocks(parsed, lambda body: fill(body, preparation.values))
    if preparation.pipelines:
        preparation.pipelines.apply(parsed)
    fill(parsed, preparation.values)


def _filter(found: Read, parsed: SigmaFilter, preparation: Preparation) -> CompiledFilter:
    """Return the filter's condition, translated as that of a rule of the filter's log source."""
    given = parsed.filter
    detections = SigmaDetections(detections=given.detections, condition=given.condition, source=given.source)
    rule = SigmaRule(title=parsed.title, id=parsed.id, logsource=parsed.logsource, detection=detections)
    _prepare(rule, preparation)
    condition = translate.condition(rule)
    source = rule.logsource
    names = None if isinstance(given.rules, str) else tuple(str(item.reference) for item in given.rules)
    return CompiledFilter(
        _position(found, names or ()),
        str(parsed.id),
        parsed.name,
        LogSource(source.product, source.service, source.category),
        names,
        condition,
    )


def _correlation(found: Read, parsed: SigmaCorrelationRule) -> CorrelationText:
    text = "\n".join(found.place.lines)
    return CorrelationText(_position(found, ()), str(parsed.id), parsed.name, text)


def _position(found: Read, words: Iterable[str]) -> Position:
    spot = found.place
    named = [str(found.parsed.id), *([found.parsed.name] if found.parsed.name else []), *words]
    return Position(spot.path, spot.first_line, {word: spot.line_of(word) for word in named})
