"""The daemon's own loader takes what the chart gives each role, and sees each mounted file once."""

from pathlib import Path

import pytest
import yaml
from crds.chart import combinations, merged, objects, of_kind, pods

from config.loader import load
from config.scope import scoped
from config.settings import ROLES, Settings
from daemon.playbook_library import playbook_texts
from daemon.roles.respond.policy import policy_of
from daemon.ruleset import documents

COMBINATIONS = combinations()


def as_started(values, folder: Path) -> dict[str, Settings]:
    """Return role -> settings, loaded from the rendered file and the container's environment."""
    (config,) = (
        f
        for f in of_kind(values, "ConfigMap").values()
        if "config.yaml" in f["data"] and "bootstrap" not in f["metadata"]["name"]
    )
    path = folder / "config.yaml"
    path.write_text(config["data"]["config.yaml"])
    loaded = {}
    for spec in pods(objects(values)).values():
        for container in spec["containers"]:
            if container["name"] in ROLES:
                environment = {entry["name"]: entry["value"] for entry in container["env"]}
                loaded[container["name"]] = load(path, environment=environment)
    return loaded


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_daemon_takes_what_the_chart_renders(name, tmp_path):
    values = COMBINATIONS[name]
    loaded = as_started(values, tmp_path)
    assert loaded
    for role, settings in loaded.items():
        assert settings.state_dir == Path("/var/lib/davylamp")
        assert settings.operation.health_host != "127.0.0.1"
        if role in ("respond", "web"):
            assert scoped(settings, role).response.database_url.given()
    given = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert given == merged(
        {"operation": {"health_host": "0.0.0.0"}, "web": {"host": "0.0.0.0"}}, values["config"]
    )


def test_each_role_has_its_own_principal_and_finds_its_password_in_its_own_folder(tmp_path):
    loaded = as_started(COMBINATIONS["production"], tmp_path)
    names = {role: settings.kafka.username for role, settings in loaded.items() if role != "web"}
    assert names == {role: f"davylamp-{role}" for role in ROLES if role != "web"}
    assert {str(s.kafka.password.file) for r, s in loaded.items() if r != "web"} == {
        "/run/secrets/davylamp/kafka-password"
    }
    assert str(loaded["respond"].vault.token.file) == "/run/secrets/davylamp/vault-token"
    assert loaded["detect"].detection.max_record_bytes == 33_554_432


def test_topics_that_the_chart_scales_by_are_the_daemons(tmp_path):
    triggers = [
        t for f in of_kind(COMBINATIONS["production"], "ScaledObject").values() for t in f["spec"]["triggers"]
    ]
    assert {t["metadata"]["topic"] for t in triggers} == set(Settings().kafka.topics.kinds())


def test_health_ports_of_the_chart_are_the_daemons():
    ports = {}
    for spec in pods(objects(COMBINATIONS["production"])).values():
        for container in spec["containers"]:
            ports |= {p["name"].removeprefix("http-"): p["containerPort"] for p in container.get("ports", [])}
    assert ports == {**Settings().operation.health_ports, "pages": Settings().web.port}


def mounted(folder: Path, files: dict[str, str]) -> None:
    """Lay out `files` as the kubelet mounts a ConfigMap: a folder of the moment, `..data`, links."""
    moment = folder / "..2026_11_23_10_00_00.1234567890"
    moment.mkdir(parents=True)
    for name, text in files.items():
        (moment / name).write_text(text)
        (folder / name).symlink_to(Path("..data") / name)
    (folder / "..data").symlink_to(moment.name)


@pytest.mark.parametrize(
    ("role", "volume", "file", "text", "read"),
    [
        ("detect", "/etc/davylamp-rules/values", "site.yml", "title: a rule\n", documents),
        ("correlate", "/etc/davylamp-rules/1", "team.yaml", "title: a rule\n", documents),
        (
            "respond",
            "/etc/davylamp-playbooks/values",
            "site.md",
            "# a page\n",
            lambda p: playbook_texts(p, shipped=False),
        ),
        (
            "web",
            "/etc/davylamp-playbooks/0",
            "team.md",
            "# a page\n",
            lambda p: playbook_texts(p, shipped=False),
        ),
    ],
)
def test_a_mounted_configmap_is_read_once_a_file(role, volume, file, text, read, tmp_path):
    settings = as_started(COMBINATIONS["rules_and_playbooks"], tmp_path)[role]
    paths = settings.detection.rules if role in ("detect", "correlate") else settings.response.playbooks
    (path,) = (p for p in paths if str(p).startswith(volume + "/"))
    mounted(tmp_path / volume.lstrip("/"), {file: text})
    found = read([tmp_path / str(path).lstrip("/")])
    assert len(found) == 1


def test_folders_of_the_configuration_are_kept_beside_the_mounted_ones(tmp_path):
    settings = as_started(COMBINATIONS["rules_and_playbooks"], tmp_path)["detect"]
    assert [str(p) for p in settings.detection.rules] == [
        "/opt/rules",
        "/etc/davylamp-rules/values/..data",
        "/etc/davylamp-rules/0/..data",
        "/etc/davylamp-rules/1/..data",
    ]


def test_the_kill_switch_of_the_values_reaches_the_role_that_acts(tmp_path):
    values = merged(COMBINATIONS["production"], {"config": {"response": {"kill_switch": True}}})
    loaded = as_started(values, tmp_path)
    assert policy_of(scoped(loaded["respond"], "respond")).kill_switch
    assert scoped(loaded["web"], "web").response.kill_switch
