"""Secrets by value (environment) or by file; never in a repr, a dump or an error."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from config.section import Section


class SecretUnreadableError(ValueError):
    """A secret's file cannot be read, or neither value nor file is given."""


class Secret(Section):
    """Exactly one of `value` and `file`. Files are re-read on each use, so rotation needs no restart."""

    value: SecretStr | None = None
    file: Path | None = None

    def given(self) -> bool:
        """Return whether the operator said where the secret is."""
        return self.value is not None or self.file is not None

    def reveal(self) -> str:
        """Return the secret. Raises SecretUnreadableError that names the file, never the content."""
        if self.value is not None and self.file is None:
            return self.value.get_secret_value()
        if self.file is not None and self.value is None:
            try:
                return self.file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SecretUnreadableError(f"{self.file}: {error.strerror}") from error
        raise SecretUnreadableError("give exactly one of value and file")
