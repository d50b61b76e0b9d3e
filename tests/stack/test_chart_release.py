"""What the chart renders, run: bootstrap, all five roles, helm test; only the kubelet is missing."""

import time

import pytest
from crds.chart import given, merged
from crds.release import Release

from config.settings import ROLES
from daemon.demo.parts.ports import free_ports

READY_S = 60.0
GRACE_S = 30.0


@pytest.fixture
def release(kafka, elasticsearch, tmp_path):
    """The SQLite chart on the real brokers and SIEM; its processes are gone afterwards."""
    ports = free_ports(len(ROLES) + 1)
    changed = {
        "partitions": 4,
        "config": {
            "kafka": {"brokers": [kafka.brokers]},
            "forwarding": {"targets": [{"kind": "elasticsearch", "urls": [elasticsearch.url]}]},
            "operation": {"health_ports": dict(zip(ROLES, ports[1:], strict=True))},
            "web": {"port": ports[0]},
        },
        "bootstrap": {"enabled": True, "topicsArgs": ["--raw"]},
    }
    release = Release(merged(given("sqlite"), changed), tmp_path)
    yield release
    release.stop(GRACE_S)


@pytest.mark.claim(
    "the chart's containers, started with exactly their words, environment and configuration, become ready "
    "together: bootstrap, five roles (respond and web on one SQLite volume), the script of helm test"
)
def test_the_rendered_release_becomes_ready_and_stops(release):
    before = release.test()
    assert before.returncode == 1, "nothing runs yet, so helm test must fail"
    for name, done in release.bootstrap().items():
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    release.start()
    assert set(release.children) == set(ROLES)
    until = time.monotonic() + READY_S
    while (tested := release.test()).returncode and time.monotonic() < until:
        time.sleep(0.5)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count('"ready":true') == len(ROLES)
    begun = time.monotonic()
    for name, child in release.children.items():
        assert child.running, f"{name}: {child.log_tail()}"
    release.stop(GRACE_S)
    assert time.monotonic() - begun < GRACE_S, "every role stops within terminationGracePeriodSeconds"
