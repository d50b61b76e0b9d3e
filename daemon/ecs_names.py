"""Raw field names of a rule as those of Davylamp's ECS documents, as one step of a pySigma pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaTransformationError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations.base import FieldMappingTransformationBase
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaCIDRExpression

from connectors.ecs.raw_names import RAW_NAMES
from connectors.siem.searchable import FLAT, field_type
from connectors.sources.catalogue import KINDS, profile
from detectors.event import LogSource
from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.rule import routes

INDEX = "logs-davylamp.events-*"


PRODUCTS = {"esql": "elasticsearch", "lucene": "elasticsearch", "opensearch": "opensearch"}
"""Whose templates say what a query can ask for, by target."""


class NoDocumentFieldError(SigmaTransformationError):
    """A rule asks for a field that the ECS document does not have, or that no query can ask for."""


@dataclass
class EcsNames(FieldMappingTransformationBase):
    """Renames every field of a rule; a field that the document lacks fails the rule."""

    kind: str = ""
    target: str = ""
    network: bool = False

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Rename in place. The rule's own list of fields is for people and is left out."""
        rule.fields = []
        super().apply(rule)

    def apply_detection_item(
        self, detection_item: SigmaDetectionItem
    ) -> SigmaDetection | SigmaDetectionItem | None:
        """Rename one item; a network is asked of the field that is an address."""
        self.network = any(isinstance(value, SigmaCIDRExpression) for value in detection_item.value)
        return super().apply_detection_item(detection_item)

    def apply_field_name(self, field: str | None) -> str | None:
        """Return the name in the document. Raises NoDocumentFieldError when there is none."""
        if field is None:
            return None
        source = "istio_access" if self.kind == "ztunnel" else self.kind
        raw = profile(source).aliases.get(field, field)
        found = RAW_NAMES[self.kind].document_name(raw, network=self.network)
        if found is None:
            raise NoDocumentFieldError(f"the ECS document of {self.kind} has no field for {field!r}")
        return self._asked(found)

    def _asked(self, name: str) -> str:
        """Return a document's field as a query names it. Raises NoDocumentFieldError if none can."""
        product = PRODUCTS.get(self.target)
        if product is None:
            return name
        known = field_type(product, name)
        if known is None:
            raise NoDocumentFieldError(f"Davylamp's index templates do not index the field {name}")
        if self.target == "esql":
            if known in FLAT:
                raise NoDocumentFieldError(f"ES|QL does not read fields of the type {known}: {name}")
            return name
        return name.replace("/", "\\/")


def ecs_pipeline(kind: str, target: str) -> ProcessingPipeline:
    """Return a pipeline of the one step for a kind of `RAW_NAMES`."""
    return ProcessingPipeline([ProcessingItem(EcsNames(kind=kind, target=target))])


def kind_of(logsource: LogSource) -> str:
    """Return the key of `RAW_NAMES` whose events a rule of this log source is tried on.

    Raises UnsupportedConstructError for none and for several.
    """
    kinds = [kind for kind in KINDS if routes(logsource, profile(kind))]
    if len(kinds) == 1:
        return "ztunnel" if logsource.service == "ztunnel" else kinds[0]
    told = "several of Davylamp's sources" if kinds else "none of Davylamp's sources"
    raise UnsupportedConstructError(
        f"its log source means {told}, so its fields have no ECS names", "Convert it with --fields raw"
    )
