"""Files of exceptions and of states: what is wrong is said with file, line and key, all at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.errors import ConfigurationError
from config.exceptions import read_exceptions
from config.lifecycle import read_lifecycle

TYPES = ("service_account", "address", "namespace")
RULE = "1d0e52c8-4f2c-4c25-8a5d-6a4a0f5f7c11"
GOOD = f"""backup-reads:
  rules: [{RULE}, davylamp-first-seen-edge]
  entities:
    - {{type: service_account, id: "backup:velero", role: actor}}
    - type: address
      id: [10.0.0.0/24, 10.1.0.1]
  owner: platform team
  reason: nightly backups
  ticket: 4711
  from: 2026-01-01
  expires: 2026-12-31T12:00:00+01:00
"""


def read(tmp_path, text, name="e.yaml"):
    (tmp_path / name).write_text(text)
    return read_exceptions([tmp_path / name], TYPES)


def test_an_exception_is_read_as_it_is_written(tmp_path):
    (one,) = read(tmp_path, GOOD)
    assert one.name == "backup-reads" and one.rules == (RULE, "davylamp-first-seen-edge")
    assert [(e.type, e.ids, e.role) for e in one.entities] == [
        ("service_account", ("backup:velero",), "actor"),
        ("address", ("10.0.0.0/24", "10.1.0.1"), None),
    ]
    assert (one.owner, one.reason, one.ticket) == ("platform team", "nightly backups", "4711")
    assert one.start == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert one.end == datetime(2026, 12, 31, 11, tzinfo=UTC).timestamp()
    assert one.place == f"{tmp_path / 'e.yaml'}:1"


def test_all_rules_are_asked_for_by_a_word(tmp_path):
    (one,) = read(tmp_path, GOOD.replace(f"[{RULE}, davylamp-first-seen-edge]", "all"))
    assert one.rules is None


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("owner: platform team", "ownr: x", 7, "did you mean 'owner'"),
        ("owner: platform team", "owner: ''", 7, "is missing"),
        ("  reason: nightly backups\n", "", 1, "is missing"),
        ("ticket: 4711", "ticket: [a]", 9, "is missing"),
        ("expires: 2026-12-31T12:00:00+01:00", "expires: 2027-01-02", 11, "366 days"),
        ("expires: 2026-12-31T12:00:00+01:00", "expires: 2025-12-31", 11, "not after"),
        ("expires: 2026-12-31T12:00:00+01:00", "expires: 2026-12-31T12:00:00", 11, "no offset"),
        ("expires: 2026-12-31T12:00:00+01:00", "expires: never", 11, "no date"),
        ("from: 2026-01-01", "from: 99999999999", 10, "no date"),
        (f"[{RULE}, davylamp-first-seen-edge]", "[secret_read]", 2, "no rule id"),
        (f"[{RULE}, davylamp-first-seen-edge]", "'*'", 2, "must be `all` or a list"),
        (f"[{RULE}, davylamp-first-seen-edge]", "[]", 2, "must be `all` or a list"),
        ("type: service_account", "type: person", 4, "is none of"),
        ("role: actor", "role: victim", 4, "is none of"),
        ('"backup:velero"', '"*:*"', 4, "stands for everybody"),
        ("10.1.0.1", "0.0.0.0/0", 6, "stands for everybody"),
        ("10.1.0.1", "true", 6, "must be a text"),
        ("backup-reads:", "Backup Reads:", 1, "is no name"),
        ("rules:", "entities: []\n  rules:", 4, "is given twice"),
        ("from: 2026-01-01", "from: 2026-13-45", 10, "month must be"),
    ],
)
def test_a_problem_has_its_place_and_the_way_out(tmp_path, old, new, line, said):
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    problem = next(one for one in caught.value.problems if said in str(one))
    assert problem.place == f"{tmp_path / 'e.yaml'}:{line}"


@pytest.mark.parametrize(
    "text", ["backup: 1\n", "backup: [a]\n", "backup:\n", "- a\n", "a: [\n", "1: {}\n", "{[a]: b}\n"]
)
def test_what_is_no_mapping_of_exceptions_is_refused_and_nothing_breaks(tmp_path, text):
    with pytest.raises(ConfigurationError):
        read(tmp_path, text)


def test_every_problem_of_every_file_is_said_and_names_are_taken_once(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD + GOOD.replace("backup-reads", "other").replace("from", "fom"))
    with pytest.raises(ConfigurationError) as caught:
        read_exceptions([tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "away.yaml"], TYPES)
    told = str(caught.value)
    assert "is taken by" in told and "did you mean 'from'" in told and "away.yaml" in told


def test_states_are_read_and_a_wrong_one_has_its_place(tmp_path):
    path = tmp_path / "l.yaml"
    good = f'{RULE}:\n  state: shadow\n  since: "2026-05-01T00:00:00.000Z"\n  by: me\n'
    path.write_text(good)
    found = read_lifecycle([path])[RULE]
    assert (found.state, found.by) == ("shadow", "me")
    assert found.since == datetime(2026, 5, 1, tzinfo=UTC).timestamp()
    path.write_text(good.replace("shadow", "asleep").replace("  by: me\n", "") + "nonsense: {}\n")
    with pytest.raises(ConfigurationError) as caught:
        read_lifecycle([path, tmp_path / "away.yaml"])
    told = [str(problem) for problem in caught.value.problems]
    assert f"{path}:2: {RULE}.state: is none of draft, shadow, live, retired" in told
    assert any(f"{path}:4: nonsense: is no rule id" in one for one in told)
    assert any("by: is missing" in one for one in told)


def test_a_rule_has_one_state(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(f"{RULE}: {{state: live, since: 2026-05-01, by: me}}\n")
    with pytest.raises(ConfigurationError, match="keep one"):
        read_lifecycle([tmp_path / "a", tmp_path / "b"])
