"""Rule folders that change: plain files, and a volume as a cluster's kubelet renews it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from config.detection import Detection

RULE = """title: {name}
id: 33333333-3333-4333-8333-{number:012d}
name: {name}
logsource: {{product: aws, service: cloudtrail}}
detection:
  s: {{eventName: {name}}}
  condition: s
level: high
"""
BROKEN = RULE.replace("condition: s", "condition: nothing of that name")


def rule_text(number: int, name: str, *, broken: bool = False) -> str:
    return (BROKEN if broken else RULE).format(number=number, name=name)


class ConfigMapVolume:
    """A folder as the kubelet makes it: `NAME -> ..data/NAME`, `..data -> ..STAMP`, renewed by one rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamps = itertools.count()
        folder.mkdir()

    def put(self, files: dict[str, str]) -> None:
        """Replace all files at once."""
        stamp = f"..2026_11_23_{next(self._stamps)}"
        inner = self.folder / stamp
        inner.mkdir()
        for name, text in files.items():
            (inner / name).write_text(text, encoding="utf-8")
        data, fresh = self.folder / "..data", self.folder / "..data_tmp"
        old = data.readlink() if data.is_symlink() else None
        fresh.symlink_to(stamp)
        fresh.rename(data)
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        for link in self.folder.iterdir():
            if not link.name.startswith("..") and link.name not in files:
                link.unlink()
        if old is not None:
            for file in (self.folder / old).iterdir():
                file.unlink()
            (self.folder / old).rmdir()


@pytest.fixture
def volume(tmp_path: Path) -> ConfigMapVolume:
    made = ConfigMapVolume(tmp_path / "rules")
    made.put({"one.yml": rule_text(1, "StopLogging")})
    return made


@pytest.fixture
def new_rule() -> Callable[..., str]:
    return rule_text


@pytest.fixture
def detection(volume: ConfigMapVolume) -> Detection:
    return Detection(builtin_rules=False, rules=(volume.folder,))


@pytest.fixture
def registry() -> Any:
    return CollectorRegistry()
