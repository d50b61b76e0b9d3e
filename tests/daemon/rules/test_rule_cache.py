"""The cache of compiled rules: data only, ours alone, and never in the way."""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from daemon.rule_cache import RuleCache
from daemon.rule_loader import RuleLoader
from detectors.sigma.preparation import UNPREPARED, Preparation

RULE = """title: one
id: 11111111-1111-4111-8111-11111111111{n}
logsource: {{product: test}}
detection:
  s: {{f: {value}}}
  condition: s
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.yml").write_text(RULE.format(n=number, value="a"), encoding="utf-8")
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def loaded(rules: Path, cache: Path | None, preparation: Preparation = UNPREPARED) -> dict[str, int]:
    """Load with a new loader and return what the cache counted; three rules must come out."""
    ruleset, report = RuleLoader([rules], preparation, cache_folder=cache).load()
    assert (len(ruleset.rules), ruleset.refusals) == (3, ())
    return {name: count for name, count in report.cache.items() if count}


def entries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.json"))


def test_what_was_compiled_once_is_not_compiled_again(rules: Path, cache: Path) -> None:
    assert loaded(rules, cache) == {"misses": 3, "kept": 3}
    assert loaded(rules, cache) == {"hits": 3}


def test_a_changed_text_is_compiled_and_the_others_are_not(rules: Path, cache: Path) -> None:
    loaded(rules, cache)
    (rules / "1.yml").write_text(RULE.format(n=1, value="b"), encoding="utf-8")
    assert loaded(rules, cache) == {"hits": 2, "misses": 1, "kept": 1}


def test_other_placeholders_are_other_entries(rules: Path, cache: Path) -> None:
    loaded(rules, cache)
    assert loaded(rules, cache, Preparation({"admins": ("kim",)})) == {"misses": 3, "kept": 3}


def test_a_moved_file_keeps_its_entry_and_has_its_new_path(rules: Path, cache: Path) -> None:
    loaded(rules, cache)
    (rules / "0.yml").rename(rules / "moved.yml")
    ruleset, report = RuleLoader([rules], UNPREPARED, cache_folder=cache).load()
    assert report.cache["hits"] == 3
    assert {Path(rule.identity.path).name for rule in ruleset.rules} == {"1.yml", "2.yml", "moved.yml"}


def test_entries_are_private_json_and_nothing_is_left_beside_them(rules: Path, cache: Path) -> None:
    loaded(rules, cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert sorted(files) == entries(cache)
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        digest, _, body = path.read_bytes().partition(b"\n")
        assert hashlib.sha256(body).hexdigest().encode() == digest
        assert isinstance(orjson.loads(body), list)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"os": "system"}))


def forged(path: Path) -> None:
    """The right digest over data that is no compiled file."""
    key = path.parent.name + path.stem
    body = orjson.dumps([key, ["CompiledFile", [["Rule", "x"]], [], []]])
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def swapped(path: Path) -> None:
    """A whole entry of ours under the name of another text."""
    other = next(one for one in path.parents[1].rglob("*.json") if one != path)
    path.write_bytes(other.read_bytes())


def linked(path: Path) -> None:
    real = path.with_suffix(".real")
    path.rename(real)
    path.symlink_to(real)


def writable(path: Path) -> None:
    path.chmod(0o666)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [cut, flipped, emptied, pickled, forged, swapped, linked, writable, piped])
def test_a_broken_or_forged_entry_is_counted_and_compiled_again(
    rules: Path, cache: Path, harm: Callable[[Path], None]
) -> None:
    loaded(rules, cache)
    harm(entries(cache)[0])
    assert loaded(rules, cache) == {"hits": 2, "broken": 1, "kept": 1}
    assert loaded(rules, cache) == {"hits": 3}


def test_a_folder_that_others_may_enter_is_not_used(rules: Path, cache: Path) -> None:
    cache.mkdir(mode=0o755)
    assert loaded(rules, cache) == {}
    assert "chmod 700" in str(RuleCache(cache, UNPREPARED).off)
    assert entries(cache) == []


def test_a_link_or_a_file_in_its_place_is_not_used(rules: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(real)
    assert "is no folder" in str(RuleCache(link, UNPREPARED).off)
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    for place in (link, file, file / "below", None):
        assert loaded(rules, place) == {}


def test_refusals_are_kept_too_and_point_at_their_lines(tmp_path: Path, cache: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "bad.yml").write_text(RULE.format(n=1, value="a").replace("f:", "f|nope:"), encoding="utf-8")
    found = [RuleLoader([rules], UNPREPARED, cache_folder=cache).load()[0].refusals for _ in range(2)]
    assert found[0] == found[1]
    assert found[0][0].line == 5
