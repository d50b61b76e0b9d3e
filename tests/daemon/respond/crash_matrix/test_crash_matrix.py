"""One rotation, one fault at one place, on real servers: one effective rotation, and nothing left over."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, update

from config.dump import revealed
from config.vault import Vault
from connectors.store.schema import actions, proofs

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
CHILD = HERE.parent / "worker_child.py"
PLACES = {
    ("rotate", "before_intent"): "before intent",
    ("rotate", "after_intent"): "after intent",
    ("rotate", "after_call"): "before commit",
}
SPOILED = {"5xx after success": "500", "412": "412", "timeout": "timeout"}
SHIFT_S = 600.0


def tool(name: str) -> Any:
    """Load a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


proxied = tool("cell_proxy").proxied


class Cell:
    """One target, one action, and a fault that is played once at the place."""

    def __init__(self, scene: Any, desk: Any, worker_for: Any, finish: Any, hurry: Any, place: str) -> None:
        self.scene, self.desk, self.worker_for, self.finish, self.hurry = (
            scene,
            desk,
            worker_for,
            finish,
            hurry,
        )
        self.place = place
        self.played = threading.Event()
        self.play: Callable[[], None] = lambda: None
        self.target = scene.target()
        self.passwords = [scene.served(self.target)]
        self.settings = scene.settings(self.target)
        self.action = desk.queue(self.target)
        self.shift_s = 0.0

    def at(self, place: str) -> None:
        """Play the fault if this is its place, once."""
        if place == self.place and not self.played.is_set():
            self.played.set()
            self.play()

    def boundary(self, step: str, boundary: str) -> None:
        """Tell the worker's place."""
        self.at(PLACES.get((step, boundary), ""))

    def through(self, address: str, timeout_s: float) -> Any:
        vault = Vault(address=address, token=self.settings.vault.token, timeout_s=timeout_s)
        return self.settings.model_copy(update={"vault": vault})

    def let_go(self) -> None:
        """End whatever lease there is, as time would."""
        with self.desk.database.transaction() as connection:
            connection.execute(update(actions).where(actions.c.id == self.action).values(lease_until=0.0))

    def another(self, name: str = "worker-2") -> str:
        """Let another worker finish, on the vault itself."""
        return self.finish(
            self.desk, self.worker_for(self.scene, self.settings, self.hurry, name=name), self.action
        )

    def stolen(self) -> None:
        """Lose the lease to a worker that finishes everything."""
        self.let_go()
        assert self.another() == "succeeded"
        self.passwords.append(self.scene.served(self.target))

    def sealed(self) -> None:
        self.scene.vault.seal()
        threading.Timer(0.4, self.scene.vault.unseal).start()

    def clock(self) -> float:
        return self.hurry.now() + self.shift_s


@pytest.fixture
def cell_for(crash_scene, desk, worker_for, finish, hurry):
    return lambda place: Cell(crash_scene, desk, worker_for, finish, hurry, place)


def in_process(cell: Cell, fault: str, shift_s: float) -> None:
    """Run the cell's worker in a thread, the fault where it belongs."""
    main: queue.Queue[Callable[[], None] | None] = queue.Queue()
    second: list[threading.Thread] = []

    def fail_over() -> None:
        done = threading.Event()

        def again() -> None:
            cell.scene.database.kill()
            cell.scene.database.start()
            done.set()

        main.put(again)
        assert done.wait(30)

    def duplicate() -> None:
        second.append(threading.Thread(target=cell.another))
        second[0].start()
        time.sleep(0.3)

    with proxied(cell.scene.vault.address, cell.at) as proxy:
        plays: dict[str, Callable[[], None]] = {
            "lease stolen": cell.stolen,
            "vault sealed": cell.sealed,
            "database fail-over": fail_over,
            "duplicate worker": duplicate,
            "clock +/- 10 min": lambda: setattr(cell, "shift_s", shift_s),
        }
        spoil = SPOILED.get(fault, "")
        cell.play = plays.get(fault) or (lambda: setattr(proxy, "armed", spoil))
        settings = cell.through(proxy.address, 1.5 if spoil == "timeout" else 20.0)
        worker = cell.worker_for(cell.scene, settings, cell.hurry, boundary=cell.boundary)
        worker.clock = cell.clock
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(cell.finish, cell.desk, worker, cell.action, 60.0)
            working.add_done_callback(lambda _done: main.put(None))
            # Linux ends a child with the thread that started it: servers are started in this thread only.
            while (todo := main.get(timeout=70)) is not None:
                todo()
            assert working.result() == "succeeded", cell.desk.action(cell.action)["reason"]
        assert not proxy.armed
        for thread in second:
            thread.join(60)


def killed(cell: Cell, tmp_path: Path) -> str:
    """Run a worker in a process of its own, end it at the place, let the next finish; return its output."""
    private = tmp_path / "settings.json"
    private.touch(mode=0o600)
    with proxied(cell.scene.vault.address, cell.at) as proxy:
        private.write_text(json.dumps(revealed(cell.through(proxy.address, 20.0))), encoding="utf-8")
        own = next((key for key, place in PLACES.items() if place == cell.place), ("", ""))
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(private), cell.desk.url, *own],
            env={**os.environ, "PYTHONPATH": str(HERE.parents[3])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        cell.play = child.kill
        said, _ = child.communicate(timeout=60)
    assert child.returncode == -9, said
    private.unlink()
    cell.let_go()
    assert cell.another() == "succeeded"
    return said


def rotations(cell: Cell) -> int:
    """Return how many rotations of this role the vault's audit log has as done."""
    path = f"database/rotate-role/{cell.target.name}"
    with cell.scene.vault.audit_file.open(encoding="utf-8") as lines:
        made = [json.loads(line) for line in lines if path in line]
    done = [line for line in made if line["type"] == "response" and not line.get("error")]
    return sum(line["request"]["path"] == path for line in done)


def assert_one_effective_rotation(cell: Cell, late_allowed: bool) -> str:
    """Assert the contract (section 5) at the end of a cell; return grade and number of rotations."""
    served = cell.scene.served(cell.target)
    cell.scene.login(cell.target, served).close()
    for old in cell.passwords:
        if old != served:
            with pytest.raises(psycopg.OperationalError, match="authentication failed"):
                cell.scene.login(cell.target, old)
    assert served != cell.passwords[0]
    with cell.desk.database.reading() as connection:
        mine = proofs.c.target_key == cell.target.key
        assert connection.scalar(select(func.count()).select_from(proofs).where(mine)) == 1
    grade, count = cell.desk.proof(cell.action)["grade"], rotations(cell)
    assert count == 1 or (late_allowed and count == 2)
    assert grade == "A" or (count == 2 and grade == "B")
    row = cell.desk.action(cell.action)
    assert (row["state"], row["lease_owner"]) == ("succeeded", None)
    assert {step["state"] for step in cell.desk.steps(cell.action)} == {"done"}
    assert not [step["name"] for step in cell.desk.steps(cell.action) if step["escrow"]]
    return f"{grade}, {count}"


def assert_no_secret(cell: Cell, tmp_path: Path, *said: str) -> None:
    """Assert that no password and no token stands in the database's files or in what was said."""
    kept = [*cell.passwords, cell.scene.served(cell.target), cell.settings.vault.token.reveal()]
    cell.desk.database.close()
    files = [path.read_bytes() for path in tmp_path.rglob("davylamp.db*")]
    assert files
    outputs = [*files, *(text.encode() for text in said)]
    assert not [n for n, secret in enumerate(kept) if any(secret.encode() in data for data in outputs)]


def test_one_effective_rotation_whatever_happens_where(
    cell_for, cell, told, tmp_path, record_property, caplog
):
    place, fault = cell
    ended: list[str] = []
    for shift_s in (SHIFT_S, -SHIFT_S) if fault.startswith("clock") else (0.0,):
        made, said = cell_for(place), ""
        if fault == "kill -9":
            said = killed(made, tmp_path)
        else:
            in_process(made, fault, shift_s)
        assert made.played.is_set() or fault == "kill -9"
        ended.append(assert_one_effective_rotation(made, late_allowed=fault == "lease stolen"))
        assert_no_secret(made, tmp_path, said, str(told), caplog.text)
    record_property("ended", "; ".join(dict.fromkeys(ended)))
