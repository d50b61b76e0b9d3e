"""Evidence from the terminal: what was changed shows, in the database and in a bundle far away from it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import delete, update

from connectors.store import audit as trail
from connectors.store import schema
from daemon.cli.audit import audit
from daemon.cli.incidents import incidents

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e'\";--\x00\x1b]0;x\x07"
SECRETS = ("s.token-of-the-vault", "password-of-the-probe")


def call(group, *words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    made = Ed25519PrivateKey.generate()
    private, public = tmp_path / "evidence.pem", tmp_path / "public.pem"
    private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def config(world, keys) -> Path:
    path = world.folder / "davylamp.yaml"
    target = {"name": "analytics", "probe": {"observer_password": {"value": SECRETS[1]}}}
    document = {
        "evidence": {"signing_key": {"file": str(keys[0])}},
        "response": {"database_url": {"value": world.url}, "targets": [target]},
        "vault": {"token": {"value": SECRETS[0]}},
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def breach(world) -> str:
    """A breach with an attacker's words in it, some decisions, and a second incident beside it."""
    incident_id, action_id = world.breach()
    world.finding(incident_id, "hostile", 5.0, [], title=HOSTILE, explain=HOSTILE)
    world.line(incident_id, 6.0, "finding", HOSTILE)
    world.insert(schema.notes, id="n1", incident_id=incident_id, author="alice", at=7.0, text=HOSTILE)
    world.line(world.incident(2, status="closed"), 8.0, "opened", "another")
    with world.writer.transaction() as connection:
        for number, subject in enumerate((incident_id, "elsewhere", action_id, "elsewhere", action_id)):
            trail.record(connection, 10.0 + number, "alice", "approve", subject, "allowed", {"n": number})
    return incident_id


@pytest.fixture
def bundle(breach, config, tmp_path) -> Path:
    path = tmp_path / "incident.zip"
    made = call(incidents, "export", breach, "--config", config, "--out", path)
    assert made.exit_code == 0, made.output
    return path


def rewritten(bundle: Path, change) -> Path:
    """Write the bundle again with its files as `change` (a function on name -> bytes) leaves them."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    path = bundle.with_name("changed.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_bundle_verifies_in_a_process_without_settings_or_database(bundle, keys, tmp_path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    moved = bundle.rename(away / "evidence.zip")
    words = ["incidents", "verify", moved, "--public-key", keys[1], "--json"]
    line = [sys.executable, "-m", "daemon", *map(str, words)]
    ended = subprocess.run(
        line, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[3], env={}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    assert (found["problems"], found["kind"], found["files"]) == ([], "incident", 5)
    assert found["rows"] == 5 + 3
    assert found["audit_seq"] == 5


def test_a_bundle_holds_the_whole_incident_and_no_secret(bundle, keys, breach) -> None:
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    everything = b"".join(files.values())
    private = keys[0].read_bytes().splitlines()[1]
    assert [secret for secret in (*(s.encode() for s in SECRETS), private) if secret in everything] == []
    assert json.loads(files["incident.json"])["incident_id"] == breach
    assert len(files["findings.jsonl"].splitlines()) == 3
    subjects = [json.loads(line)["subject"] for line in files["audit.jsonl"].splitlines()]
    assert len(subjects) == 3 and "elsewhere" not in subjects
    assert bundle.stat().st_mode & 0o077 == 0


def test_the_page_runs_nothing_fetches_nothing_and_shows_what_hides(bundle) -> None:
    with zipfile.ZipFile(bundle) as archive:
        page = archive.read("incident.html").decode("utf-8")
    assert page.startswith("<!doctype html>")
    assert (
        "<script" not in page
        and "<img" not in page
        and "href=" not in page
        and "src=" not in page.replace("&lt;img src=x", "")
    )
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert page.count("&lt;script&gt;alert(1)") == 4
    assert not {"\u202e", "\x00", "\x1b", "\x07"} & set(page)
    assert "Proof, grade A" in page


def swapped(files: dict[str, bytes]) -> None:
    first, second, *rest = files["timeline.jsonl"].splitlines(keepends=True)
    files["timeline.jsonl"] = b"".join([second, first, *rest])


CHANGES = {
    "a word of the page": lambda files: files.update({"incident.html": files["incident.html"] + b" "}),
    "a row changed": lambda f: f.update({"audit.jsonl": f["audit.jsonl"].replace(b"alice", b"carol")}),
    "a row missing": lambda f: f.update({"timeline.jsonl": f["timeline.jsonl"].split(b"\n", 1)[1]}),
    "rows reordered": swapped,
    "a file missing": lambda files: files.pop("findings.jsonl"),
    "a file added": lambda files: files.update({"more.txt": b"trust me"}),
    "the manifest": lambda f: f.update({"manifest.json": f["manifest.json"].replace(b"default", b"another")}),
    "the signature": lambda files: files.update({"manifest.sig": bytes(64)}),
    "a short signature": lambda files: files.update({"manifest.sig": b"x"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_bundle_shows(bundle, keys, change) -> None:
    result = call(incidents, "verify", rewritten(bundle, CHANGES[change]), "--public-key", keys[1])
    assert result.exit_code == 1, result.output
    assert "not whole" in result.output


def test_chains_are_followed_even_when_the_owner_of_the_key_wrote_the_files(
    world, config, keys, breach
) -> None:
    with world.writer.transaction() as connection:
        connection.execute(update(schema.timeline).where(schema.timeline.c.seq == 2).values(text="nothing"))
    path = world.folder / "forged.zip"
    assert call(incidents, "export", breach, "--config", config, "--out", path).exit_code == 0
    result = call(incidents, "verify", path, "--public-key", keys[1])
    assert result.exit_code == 1 and "timeline.jsonl row 2: changed" in result.output


def test_another_key_no_key_and_no_bundle_are_told_apart(bundle, keys, config, tmp_path, breach) -> None:
    other = tmp_path / "other.pem"
    pem = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    other.write_bytes(pem)
    assert call(incidents, "verify", bundle, "--public-key", other).exit_code == 1
    assert call(incidents, "verify", bundle, "--public-key", keys[0]).exit_code == 2
    assert call(incidents, "verify", bundle, "--public-key", tmp_path / "none").exit_code == 2
    garbage = tmp_path / "garbage.zip"
    garbage.write_bytes(bundle.read_bytes()[:500])
    assert call(incidents, "verify", garbage, "--public-key", keys[1]).exit_code == 3
    again = call(incidents, "export", breach, "--config", config, "--out", bundle)
    assert again.exit_code == 3 and "never overwritten" in again.output
    keys[0].write_text("no key")
    result = call(incidents, "export", breach, "--config", config, "--out", tmp_path / "b.zip")
    assert result.exit_code == 2 and "evidence.signing_key" in result.output
    assert not (tmp_path / "b.zip").exists()


def test_a_bundle_cannot_swell_or_say_a_file_twice(bundle, keys) -> None:
    swollen = rewritten(bundle, lambda files: files.update({"manifest.json": bytes(64 << 20)}))
    assert call(incidents, "verify", swollen, "--public-key", keys[1]).exit_code == 3
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("incident.html", "another page")
    result = call(incidents, "verify", bundle, "--public-key", keys[1])
    assert result.exit_code == 1 and "incident.html: 2 times in the bundle" in result.output


EDITS = {
    "a row changed": "UPDATE audit SET actor = 'mallory' WHERE seq = 3",
    "what is no JSON": "UPDATE audit SET detail = '{' WHERE seq = 3",
    "a row missing": "DELETE FROM audit WHERE seq = 2",
    "rows reordered": "UPDATE audit SET seq = -(5 - seq) WHERE seq IN (2, 3);UPDATE audit SET seq = abs(seq)",
    "a timeline missing": "DELETE FROM timeline WHERE text = 'another'",
    "an incident missing": "DELETE FROM incidents WHERE number = 2",
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_database_shows(world, config, breach, edit) -> None:
    assert call(audit, "verify", "--config", config).exit_code == 0
    with closing(sqlite3.connect(world.url.removeprefix("sqlite:///"))) as connection:
        connection.executescript(EDITS[edit])
    result = call(audit, "verify", "--config", config)
    assert result.exit_code == 1, result.output


def test_an_earlier_export_shows_what_was_cut_off_the_end(world, config, keys, breach, tmp_path) -> None:
    path = tmp_path / "audit.zip"
    made = call(audit, "export", "--config", config, "--out", path)
    assert made.exit_code == 0, made.output
    assert call(incidents, "verify", path, "--public-key", keys[1]).exit_code == 0
    against = ("--config", config, "--bundle", path, "--public-key", keys[1])
    assert call(audit, "verify", *against).exit_code == 0
    with world.writer.transaction() as connection:
        connection.execute(delete(schema.audit).where(schema.audit.c.seq >= 4))
    assert call(audit, "verify", "--config", config).exit_code == 0
    result = call(audit, "verify", *against)
    assert result.exit_code == 1
    assert "audit.jsonl row 4: missing since" in result.output
    assert "audit.jsonl row 5: missing since" in result.output
