"""Real consumer processes of a pair of database logins, each with its own connection; a test's tool.

Argument: JSON {vault, token, pointer, dsn, names, stubborn, log}. Each process reads which half is in use and
its password from the vault, and works; one of `stubborn` never reads again. What fails is a line in `log`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psycopg

PAUSE_S = 0.4


def read(scene: dict[str, Any], path: str) -> dict[str, Any]:
    asked = urllib.request.Request(f"{scene['vault']}/v1/{path}", headers={"X-Vault-Token": scene["token"]})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=5) as answer:
        return json.load(answer)["data"]


def connect(scene: dict[str, Any], name: str, role: str) -> psycopg.Connection[Any]:
    login = read(scene, f"database/static-creds/{role}")
    dsn = psycopg.conninfo.make_conninfo(scene["dsn"], user=login["username"], password=login["password"])
    return psycopg.connect(dsn, autocommit=True, application_name=name)


def work(scene: dict[str, Any], name: str) -> None:
    """Work for ever; a consumer that is not stubborn opens its new session before it closes the old."""
    role = read(scene, scene["pointer"])["data"]["role"]
    connection = connect(scene, name, role)
    while True:
        connection.execute("SELECT 1")
        time.sleep(PAUSE_S * random.uniform(0.7, 1.3))
        if name in scene["stubborn"]:
            continue
        current = read(scene, scene["pointer"])["data"]["role"]
        if current != role:
            fresh = connect(scene, name, current)
            connection.close()
            connection, role = fresh, current


def child(scene: dict[str, Any], name: str) -> None:
    try:
        work(scene, name)
    except Exception as error:  # the test reads who failed, and when
        with Path(scene["log"]).open("a") as log:
            log.write(f"{time.time()} {name} {type(error).__name__}\n")


def main() -> None:
    """Fork the fleet, end it when told to or when the parent's pipe closes."""
    scene = json.loads(sys.argv[1])
    pids: list[int] = []
    for name in scene["names"]:
        pid = os.fork()
        if pid == 0:
            child(scene, name)
            os._exit(0)
        pids.append(pid)
    sys.stdin.read()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
