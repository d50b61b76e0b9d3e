"""What `detect` and `correlate` are told: rules, lateness, baselines, bounds."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from config.section import Section


class Lateness(Section):
    """How long a source's events may come late, in seconds; watermarks wait this long."""

    cloudtrail: float = Field(default=3600.0, ge=0)
    kubernetes_audit: float = Field(default=300.0, ge=0)
    istio_access: float = Field(default=120.0, ge=0)
    vault_audit: float = Field(default=300.0, ge=0)

    def of(self, kind: str) -> float:
        """Return the lateness of a source kind, in seconds."""
        return float(getattr(self, kind))


class PlaceholderSources(Section):
    """The sources of placeholder values that pipelines may read: each by name, all others are off.

    `file`: paths; `http`: whole addresses (http or https, without a query); `command`: programs, word by
    word, never through a shell.
    """

    file: tuple[Path, ...] = ()
    http: tuple[str, ...] = ()
    command: tuple[tuple[str, ...], ...] = ()


class Detection(Section):
    """Rules and bounds of detection and correlation."""

    builtin_rules: bool = True
    rules: tuple[Path, ...] = ()
    rule_cache: bool = True
    rule_cache_dir: Path | None = None
    pipelines: tuple[Path, ...] = ()
    placeholder_sources: PlaceholderSources = PlaceholderSources()
    inventory: tuple[Path, ...] = ()
    exceptions: tuple[Path, ...] = ()
    lifecycle: tuple[Path, ...] = ()
    flood_per_hour: int = Field(default=1000, ge=0, le=900_000)
    placeholders: dict[str, tuple[str | int | float, ...]] = Field(default_factory=dict)
    repeated_ids: int = Field(default=100_000, ge=0, le=10_000_000)
    batch_records: int = Field(default=2000, ge=1, le=20_000)
    max_record_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    learning_days: float = Field(default=7.0, ge=0, le=90)
    lateness: Lateness = Lateness()
