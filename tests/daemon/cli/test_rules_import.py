"""`davylamp rules import sigmahq`: what is taken, refused by name, overlaps, and what an update changes."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.lifecycle import read_lifecycle
from daemon.cli.main import cli

A, B, C, D = (f"{n * 8}-1111-4111-8111-111111111111" for n in "abcd")
COMMIT = "8eaafff1f2845a696050e05e72ba1140ee190698"


def rule(rule_id: str, title: str, product: str, detection: str, author: str = "Jo Doe (@jo)") -> str:
    service = "audit" if product == "kubernetes" else "cloudtrail"
    return (
        f"title: {title}\nid: {rule_id}\nstatus: test\nauthor: {author}\ndate: 2026-01-01\n"
        f"logsource: {{product: {product}, service: {service}}}\n"
        f"detection:\n  s: {detection}\n  condition: s\nlevel: medium\n"
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with a rule that overlaps ours, one that does not, a foreign and a broken one."""
    top = tmp_path / "sigma"
    files = {
        "rules/k8s/events.yml": rule(A, "Events gone", "kubernetes",
                                     "{verb: delete, objectRef.resource: events}"),
        "rules/k8s/odd.yml": rule(B, "Odd", "kubernetes", "{verb: surprise}"),
        "rules/windows/x.yml": rule(C, "Foreign", "windows", "{Image: x}"),
        "rules/aws/broken.yml": rule(D, "Broken", "aws", "{eventName|nonsense: x}"),
        "rules/README.md": "no rule",
        ".git/HEAD": "ref: refs/heads/master\n",
        ".git/packed-refs": f"# pack-refs\n{COMMIT} refs/heads/master\n",
    }  # fmt: skip
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def taken(path: Path, *more: str) -> tuple[Result, dict[str, Any]]:
    done = CliRunner().invoke(cli, ["rules", "import", "sigmahq", str(path), "--json", "--no-builtin", *more])
    return done, json.loads(done.stdout) if done.stdout.startswith("{") else {}


def test_rules_for_our_sources_are_taken_as_they_are_with_their_origin(checkout, tmp_path):
    into = tmp_path / "into"
    done, told = taken(checkout, "--into", str(into))
    assert done.exit_code == 1, "a document was refused"
    assert told["new"] == ["rules/k8s/events.yml", "rules/k8s/odd.yml"] and told["commit"] == COMMIT
    assert told["other_log_sources"] == {"windows/cloudtrail/*": 1}
    (refused,) = told["refused"]
    assert refused["file"] == "rules/aws/broken.yml" and refused["line"] and "nonsense" in refused["reason"]
    kept = into / "rules" / "rules" / "k8s" / "events.yml"
    assert kept.read_text() == (checkout / "rules/k8s/events.yml").read_text()
    assert sorted(p.name for p in (into / "rules").rglob("*.yml")) == ["events.yml", "odd.yml"]
    notice = (into / "NOTICE.md").read_text()
    assert "Jo Doe (@jo)" in notice and COMMIT in notice and "Detection Rule License 1.1" in notice
    manifest = json.loads((into / "import.json").read_text())
    assert (
        manifest["license"] == "DRL-1.1" and manifest["documents"][0]["rules"][0]["author"] == "Jo Doe (@jo)"
    )
    assert str(tmp_path) not in (into / "import.json").read_text() + notice
    states = read_lifecycle([into / "lifecycle.yaml"])
    assert {states[A].state, states[B].state} == {"shadow"}


def test_overlap_is_told_by_selection_and_by_events(checkout, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "same.yml").write_text(
        rule(C, "Ours", "kubernetes", "{verb: delete, objectRef.resource: [events, x]}")
    )
    (own / "more.yml").write_text(rule(D, "All", "kubernetes", "{stage: ResponseComplete}"))
    seen = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "stage": "ResponseComplete",
        "verb": "surprise", "stageTimestamp": "2026-05-01T00:00:00Z", "user": {"username": "eve"},
    }  # fmt: skip
    (tmp_path / "e.jsonl").write_text("\n".join(json.dumps({**seen, "auditID": f"a{n}"}) for n in range(3)))
    _, told = taken(checkout, "--rules", str(own))
    assert told["overlap"] == [{"theirs": A, "ours": C, "selection": 0.667, "events": 0, "shared": 0}]
    events = ("--source", "kubernetes_audit", "--events", str(tmp_path / "e.jsonl"))
    _, told = taken(checkout, "--rules", str(own), *events)
    assert told["overlap"][1] == {"theirs": B, "ours": D, "selection": 0.0, "events": 3, "shared": 3}


def test_the_shipped_rules_are_compared_by_their_own_test_events(checkout):
    (checkout / "rules/k8s/odd.yml").unlink()
    done = CliRunner().invoke(cli, ["rules", "import", "sigmahq", str(checkout / "rules/k8s")])
    assert done.exit_code == 0 and "1 overlap with yours" in done.output
    assert "overlap  Events gone ~ " in done.output and "nothing was written" in done.output


def test_without_a_folder_nothing_is_written(checkout, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    taken(checkout)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_update_says_what_is_new_changed_moved_and_gone_and_keeps_the_states(checkout, tmp_path):
    into = tmp_path / "into"
    taken(checkout, "--into", str(into))
    states = into / "lifecycle.yaml"
    states.write_text(states.read_text().replace("shadow", "live", 1))
    (checkout / "rules/k8s/odd.yml").rename(checkout / "rules/k8s/elsewhere.yml")
    changed = rule(A, "Events gone again", "kubernetes", "{verb: delete, objectRef.resource: events}")
    (checkout / "rules/k8s/events.yml").write_text(changed)
    (checkout / "rules/k8s/fresh.yml").write_text(rule(C, "Fresh", "kubernetes", "{verb: x}"))
    _, told = taken(checkout, "--into", str(into))
    assert told["new"] == ["rules/k8s/fresh.yml"] and told["changed"] == ["rules/k8s/events.yml"]
    assert told["moved"] == [["rules/k8s/odd.yml", "rules/k8s/elsewhere.yml"]] and told["gone"] == []
    assert read_lifecycle([states])[A].state == "live" and read_lifecycle([states])[C].state == "shadow"
    (checkout / "rules/k8s/elsewhere.yml").unlink()
    _, told = taken(checkout, "--into", str(into))
    assert told["gone"] == ["rules/k8s/elsewhere.yml"] and told["same"] == 2
    assert sorted(p.name for p in (into / "rules").rglob("*.yml")) == ["events.yml", "fresh.yml"]


def test_an_archive_is_taken_too_and_names_that_lead_out_are_refused(tmp_path):
    archive = tmp_path / "rules.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        for name in ("sigma/rules/a.yml", "../evil.yml", "sigma/rules/-rf.yml"):
            data = rule(A if name.endswith("a.yml") else B, "T", "kubernetes", "{verb: y}").encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    done, told = taken(archive, "--into", str(tmp_path / "into"), "--commit", COMMIT)
    assert told["new"] == ["sigma/rules/a.yml"] and len(told["refused"]) == 2, done.output
    assert [p.name for p in tmp_path.rglob("*.yml")] == ["a.yml"]


def test_a_folder_with_something_else_in_it_is_left_alone(checkout, tmp_path):
    into = tmp_path / "mine"
    into.mkdir()
    (into / "own.yml").write_text("x")
    done, _ = taken(checkout, "--into", str(into))
    assert type(done.exception).__name__ == "ConfigurationError" and "something else" in str(done.exception)
    (into / "import.json").write_text("{}")
    done, _ = taken(checkout, "--into", str(into))
    assert "is no manifest" in str(done.exception)
    assert sorted(p.name for p in into.iterdir()) == ["import.json", "own.yml"]
