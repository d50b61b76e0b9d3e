"""Free loopback ports."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports that were free on 127.0.0.1 a moment ago.

    All are held open together while they are chosen, so that they differ. Another process may
    still take one before it is used: the part that gets it then fails to start and says so.
    """
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for _ in range(count):
            sock = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.bind((LOOPBACK, 0))
            ports.append(int(sock.getsockname()[1]))
        return ports


def free_port() -> int:
    """Return one free loopback port."""
    return free_ports(1)[0]


def answers(port: int, timeout_s: float = 0.2) -> bool:
    """Return whether something accepts TCP connections on 127.0.0.1:`port`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False
