"""How tests/stack is spread over the workers of pytest-xdist: files that use the same servers stay together.

pytest-xdist's own `loadgroup` writes the group into the node's id, which pytest 9.2 no longer lets it do.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from xdist.scheduler import LoadScopeScheduling

FIRST: Final = "test_boot.py"
LONGEST: Final = ("siem", "faults", "kafka", "chart")
"""The groups that take longest: they begin first."""
BY_FILE: Final = frozenset({"faults", "kafka", "chart"})
"""Groups that are spread file by file: they need a broker, which every worker has, or little."""
SAME_SERVERS: Final = {"boot": "siem", "loop": "siem", "containment": "kubernetes"}
"""Groups that join another one, as they need what it has running."""
HERE: Final = "stack"


def group_of(path: PurePath) -> str:
    """Return the folder below tests/stack, or the word behind `test_` in the name of the file."""
    found = path.stem.split("_")[1] if path.parent.name == HERE else path.parent.name
    return SAME_SERVERS.get(found, found)


def place_of(path: PurePath) -> tuple[bool, int, str]:
    """Return a key by which test files sort into the order of beginning; their own order stays in a group."""
    group = group_of(path)
    return (path.name != FIRST, LONGEST.index(group) if group in LONGEST else len(LONGEST), group)


class GroupScheduling(LoadScopeScheduling):
    """Gives a worker one group after another, in the order of collection.

    The table of `--reliability` is written by one worker, so then the faults stay together.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = PurePath(nodeid.split("::", 1)[0])
        group = group_of(path)
        together = group == "faults" and self.config.getoption("reliability", default=None) is not None
        return path.name if group in BY_FILE and not together else group
