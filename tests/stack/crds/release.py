"""A rendered release without a cluster: its containers as processes of this machine, their words unchanged.

What a kubelet would do is done by hand: folders stand for volumes, loopback for the pod's address.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from crds.chart import objects

from daemon.demo.parts.child import Child

STATE: Final = "/var/lib/davylamp"
CONFIG: Final = "/etc/davylamp/config.yaml"
_STEP_S: Final = 120.0

Object = dict[str, Any]


class Release:
    """The objects of `values`, run below `folder`. Every health port must be given in the values."""

    def __init__(self, values: Object, folder: Path) -> None:
        self.objects = objects(values)
        self._folder = folder
        self._config = folder / "config.yaml"
        maps = [
            found for found in self.objects if found["kind"] == "ConfigMap" and "config.yaml" in found["data"]
        ]
        texts = {found["data"]["config.yaml"] for found in maps}
        (text,) = texts
        self._config.write_text(text.replace("0.0.0.0", "127.0.0.1"), encoding="utf-8")
        self.children: dict[str, Child] = {}

    def bootstrap(self) -> dict[str, subprocess.CompletedProcess[str]]:
        """Run the bootstrap Job's containers one after another; return what each said."""
        (job,) = (found for found in self.objects if found["kind"] == "Job")
        spec = job["spec"]["template"]["spec"]
        steps = [*spec.get("initContainers", []), *spec["containers"]]
        return {
            step["name"]: self._run(self._command(step), self._environment(step, "bootstrap"))
            for step in steps
        }

    def start(self) -> None:
        """Start every container of every workload; those of one pod share their volume."""
        for found in self.objects:
            if found["kind"] in ("Deployment", "StatefulSet"):
                pod = found["metadata"]["name"]
                for container in found["spec"]["template"]["spec"]["containers"]:
                    child = Child(
                        name=container["name"],
                        command=self._command(container),
                        log=self._folder / f"{container['name']}.log",
                        environment=self._environment(container, pod),
                        folder=self._folder,
                    )
                    child.start()
                    self.children[container["name"]] = child

    def test(self) -> subprocess.CompletedProcess[str]:
        """Run the pod of `helm test`, with loopback for the Services' names."""
        (pod,) = (found for found in self.objects if found["kind"] == "Pod")
        (container,) = pod["spec"]["containers"]
        words = [*container["command"], *(self._on_loopback(word) for word in container["args"])]
        return self._run([sys.executable, *words[1:]], {})

    def stop(self, timeout_s: float) -> dict[str, str]:
        """End every container as the kubelet does; return the ends of their logs."""
        logs = {name: child.log_tail() for name, child in self.children.items()}
        for child in self.children.values():
            child.stop(timeout_s)
        return logs

    def _command(self, container: Object) -> list[str]:
        return [
            sys.executable,
            "-m",
            "daemon",
            *(str(self._config) if w == CONFIG else w for w in container["args"]),
        ]

    def _environment(self, container: Object, pod: str) -> dict[str, str]:
        state = self._folder / pod
        state.mkdir(exist_ok=True)
        given = {
            entry["name"]: entry["value"].replace(STATE, str(state)) for entry in container.get("env", [])
        }
        return {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1", **given}

    def _on_loopback(self, word: str) -> str:
        names = [found["metadata"]["name"] for found in self.objects if found["kind"] == "Service"]
        for name in sorted(names, key=len, reverse=True):
            word = word.replace(f"http://{name}:", "http://127.0.0.1:")
        return word

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=environment or {"PATH": os.environ["PATH"]},
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=_STEP_S,
            check=False,
        )
