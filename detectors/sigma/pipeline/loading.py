"""One pipeline file read, vetted and built: its steps, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingItem  # pyright: ignore[reportMissingTypeStubs]
from sigma.processing.transformations import (  # pyright: ignore[reportMissingTypeStubs]
    AddConditionTransformation,
)

from config.document import dotted
from config.errors import Problem
from detectors.sigma.pipeline.building import built
from detectors.sigma.pipeline.document import PipelineDocument, opened
from detectors.sigma.pipeline.source import Fetch, SourceError
from detectors.sigma.pipeline.vetting import Vetting

# What pySigma lets escape where parameters, or a rule and a transformation, do not go together.
ESCAPES: Final = (
    SigmaError,
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One transformation and where it stands: ``names.yml:3: map_string``."""

    item: ProcessingItem
    place: str


class Loaded(NamedTuple):
    """What one file gives; `content` is all that decides what it means."""

    priority: int
    steps: list[Step]
    variables: dict[str, Any]
    content: list[object]


def loaded(document: PipelineDocument, number: int, fetch: Fetch, problems: list[Problem]) -> Loaded:
    """Return what a file gives, and add what is wrong to `problems`. Raises ConfigurationError.

    `number` is the place of the file among all, for the names of what it adds to rules.
    """
    read = opened(document)
    vetting = Vetting(read)
    vetting.run()
    problems.extend(vetting.problems)
    if vetting.problems:
        return Loaded(0, [], {}, [])
    tree = cast("dict[str, Any]", read.tree)
    steps: list[Step] = []
    content: list[object] = [document.text]
    for place, raw in enumerate(tree.get("transformations", [])):
        key = ("transformations", place)
        try:
            item, values = built(raw, f"_pipeline_{number}_{place}", fetch)
        except (SourceError, *ESCAPES) as error:
            told = str(error.args[0]) if error.args else type(error).__name__
            problems.append(Problem(read.places[key], dotted(key), told))
            continue
        content.append(values)
        steps.append(Step(item, f"{read.places[key]}: {raw['type']}"))
    return Loaded(int(tree.get("priority", 0)), steps, dict(tree.get("vars", {})), content)


def names_added(items: Iterable[ProcessingItem]) -> Iterator[str]:
    """Yield the names of the selections that items add to a rule."""
    for item in items:
        if isinstance(item.transformation, AddConditionTransformation):
            yield item.transformation.name
        nested = getattr(item.transformation, "_nested_pipeline", None)
        if nested is not None:
            yield from names_added(nested.items)
