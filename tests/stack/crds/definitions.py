"""The real custom resource definitions of KEDA, Istio, Prometheus and Flux, from their Go modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml
from parts.cache import cached
from parts.part import PartMissingError

HERE: Final = Path(__file__).resolve().parent
_FETCH_S: Final = 600.0
_OPERATOR: Final = "example/prometheus-operator-crd/monitoring.coreos.com"
FILES: Final = {
    "github.com/kedacore/keda/v2": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
    "istio.io/api": ("kubernetes/customresourcedefinitions.gen.yaml",),
    "github.com/prometheus-operator/prometheus-operator": (
        f"{_OPERATOR}_servicemonitors.yaml",
        f"{_OPERATOR}_prometheusrules.yaml",
    ),
    "github.com/fluxcd/helm-controller": ("config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",),
}
KINDS: Final = (
    "AuthorizationPolicy",
    "HelmRelease",
    "PeerAuthentication",
    "PrometheusRule",
    "ScaledObject",
    "ServiceMonitor",
    "TriggerAuthentication",
)


def definitions() -> dict[str, dict[str, Any]]:
    """Return kind -> CustomResourceDefinition. Raises PartMissingError when Go or a module is missing.

    The modules' checksums stand in `go.sum`, and `go mod download` holds to them.
    """
    made_from = [HERE / "go.mod", HERE / "go.sum", Path(__file__)]
    folder = cached("chart-crds", made_from, _fetch)
    return json.loads((folder / "definitions.json").read_text(encoding="utf-8"))


def _fetch(into: Path) -> None:
    found: dict[str, dict[str, Any]] = {}
    for module, folder in _modules(into).items():
        for name in FILES[module]:
            for document in yaml.load_all(
                (folder / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
            ):
                kind = document["spec"]["names"]["kind"] if document else ""
                if kind in KINDS:
                    found[kind] = document
    if missing := sorted(set(KINDS) - set(found)):
        raise PartMissingError(f"the Go modules of the definitions lack {', '.join(missing)}")
    (into / "definitions.json").write_text(json.dumps(found), encoding="utf-8")


def _modules(into: Path) -> dict[str, Path]:
    go = shutil.which("go")
    if go is None:
        raise PartMissingError("Go 1.26 or newer is not on this machine: install it from go.dev/dl")
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / name, into / name)
    environment = {**os.environ, "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    try:
        done = subprocess.run(
            [go, "mod", "download", "-json"],
            cwd=into,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_FETCH_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PartMissingError(f"go mod download did not end within {_FETCH_S:g} s") from error
    if done.returncode:
        raise PartMissingError(f"go mod download failed: {(done.stdout + done.stderr)[-2000:]}")
    return {module["Path"]: Path(module["Dir"]) for module in _answers(done.stdout)}


def _answers(text: str) -> list[dict[str, str]]:
    """Return the JSON objects that stand one behind another in `text`."""
    decoder = json.JSONDecoder()
    found: list[dict[str, str]] = []
    place = 0
    while place < len(text.rstrip()):
        answer, place = decoder.raw_decode(text, place)
        found.append(answer)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found
