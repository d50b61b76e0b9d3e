"""The rules that run on a stream: all but correlations of correlations, which are refused by name.

A final finding is made in the partition of its own group. The next correlation's group lies in another one,
and nothing tells that partition up to where the findings for it are complete; so no result could be exact.
"""

from __future__ import annotations

from dataclasses import replace

from detectors.sigma.chaining import chained
from detectors.sigma.document import Refusal
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.ruleset import RuleSet


def streamed(loaded: RuleSet) -> RuleSet:
    """Return `loaded` without correlations of correlations, each of them among the refusals.

    Rules and correlations that only those needed make their own findings.
    """
    out = chained(loaded.correlations)
    if not out:
        return loaded
    kept = tuple(
        replace(
            item,
            quiet=False,
            carried=(),
            fields={rule: names[: len(item.group_by)] for rule, names in item.fields.items()},
        )
        for item in loaded.correlations
        if item.id not in out
    )
    loud = {rule for item in kept if item.generate for rule in item.rules}
    quiet = {rule for item in kept for rule in item.rules} - loud
    rules = tuple(
        rule if rule.quiet == (rule.id in quiet) else replace(rule, quiet=rule.id in quiet)
        for rule in loaded.rules
    )
    refused = tuple(_refusal(item) for item in loaded.correlations if item.id in out)
    return replace(loaded, rules=rules, correlations=kept, refusals=(*loaded.refusals, *refused))


def _refusal(item: CorrelationRule) -> Refusal:
    return Refusal(
        item.identity.path,
        item.identity.line,
        item.id,
        f"{item.identity.title!r} is a correlation of correlations, which is not evaluated on a stream",
        "Run it with `davylamp scan`; what it refers to runs here and makes its own findings",
    )
