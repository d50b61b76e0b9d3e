"""The base of every settings section: unknown keys are errors, values are frozen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the configuration file. Extra keys are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
