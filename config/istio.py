"""Access log formats that the mesh's operator chose, besides Istio's own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.section import Section

Format = Annotated[str, Field(min_length=1, max_length=4096)]
Key = Annotated[str, Field(min_length=1, max_length=256)]


class Istio(Section):
    """What a custom `accessLogFormat` or Telemetry provider says, copied from the mesh's configuration.

    `text_formats`: Envoy format strings, tried before Istio's own formats. `json_fields`: each key of a JSON
    log (dots lead into objects) and the field that it holds, named as in Istio's JSON encoding
    (`response_code`), or as the Envoy operator that fills it (`%RESPONSE_CODE%`); Istio's own keys are always
    understood.
    """

    text_formats: tuple[Format, ...] = Field(default=(), max_length=16)
    json_fields: dict[Key, Key] = Field(default_factory=dict, max_length=128)
