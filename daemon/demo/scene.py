"""The stage: parts, vault, database, configuration and the daemon, up and torn down together."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from config.loader import load
from config.settings import Settings
from connectors.kafka.topics import create_topics
from connectors.rotation.catalogue import policy
from connectors.store.database import upgrade
from daemon.demo import daemon_config, database_scene, vault_scene
from daemon.demo.attack import STAGES, Stage
from daemon.demo.daemon_child import DaemonChild
from daemon.demo.pager import Pager
from daemon.demo.parts.broker import BrokerPart
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.postgres import PostgresPart
from daemon.demo.pipe import Pipe
from daemon.demo.traffic import platform
from daemon.demo.vault_scene import VaultScene

_PREFIX: Final = "davylamp-demo-"
_PID_FILE: Final = "pid"


class Broker(Protocol):
    """A broker with Kafka's protocol; `brokers` is HOST:PORT."""

    brokers: str

    def start(self) -> None:
        """Start and wait until it answers."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


class Scene:
    """A context manager: inside it everything may run, after it nothing does and the folder is gone.

    Raises PartMissingError at once when a wheel is missing. Must be used from one thread that lives on:
    the parts end with the thread that started them.
    """

    stages: Sequence[Stage] = STAGES

    def __init__(self, seed: int, *, keep: Path | None = None) -> None:
        """Prepare in `keep` (left there afterwards) or in a new temporary folder."""
        self.folder = keep or Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._temporary = keep is None
        sweep(self.folder.parent if keep is None else None)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _PID_FILE).write_text(str(os.getpid()), encoding="ascii")
        if os.geteuid() == 0:
            self.folder.chmod(0o711)
        self.platform = platform.build(seed)
        try:
            self.files = daemon_config.lay_out(self.folder / "davylamp")
            self.pager = Pager()
            self.broker = self._new_broker()
            self.postgres = PostgresPart(self.folder / "database")
            self.vault = OpenBaoPart(self.folder / "vault")
        except BaseException:
            self._remove()
            raise
        self._ending = ExitStack()
        self._ending.callback(self._remove)
        self._vault_scene: VaultScene | None = None
        self._settings: Settings | None = None
        self._daemon: DaemonChild | None = None

    @property
    def settings(self) -> Settings:
        """What the daemon was told; known after `prepare()`."""
        if self._settings is None:
            raise RuntimeError("the scene is not prepared")
        return self._settings

    @property
    def vault_scene(self) -> VaultScene:
        """What the vault's set-up left; known after `prepare()`."""
        if self._vault_scene is None:
            raise RuntimeError("the scene is not prepared")
        return self._vault_scene

    @property
    def daemon(self) -> DaemonChild:
        """The daemon; known after `prepare()`."""
        if self._daemon is None:
            raise RuntimeError("the scene is not prepared")
        return self._daemon

    def start_parts(self, said: Callable[[str], None]) -> None:
        """Start broker, database and vault; `said` is told each name. Raises PartFailedError."""
        self._ending.callback(self.pager.stop)
        self.pager.start()
        for name, part, end in (
            ("broker", self.broker, self.broker.stop),
            ("database", self.postgres, self.postgres.remove),
            ("vault", self.vault, self.vault.stop),
        ):
            self._ending.callback(end)
            part.start()
            said(name)

    async def prepare(self) -> None:
        """Fill database and vault, write the configuration and its secrets, make topics and tables."""
        database = database_scene.prepare(self.postgres)
        files = self.files
        daemon_config.write_secret(files.observer_password, database.observer_password)
        daemon_config.write_secret(files.pager_url, self.pager.url)
        daemon_config.write_secret(files.pager_bearer, self.pager.bearer)
        document = daemon_config.document(files, self.broker.brokers, self.vault, self.postgres.port)
        daemon_config.write(files, self._configured(document))
        self._settings = load(files.config)
        own = policy(self._settings)
        self._vault_scene = vault_scene.prepare(self.vault, self.postgres, database, self.platform, own)
        daemon_config.write_secret(files.vault_token, self._vault_scene.davylamp_token)
        upgrade(files.database_url)
        await create_topics(self._settings, raw=True, raw_partitions=daemon_config.RAW_PARTITIONS)
        self._daemon = DaemonChild(files.config, self._settings)
        self._ending.callback(self._daemon.stop)

    @asynccontextmanager
    async def feeding(self, pipe: Pipe) -> AsyncIterator[None]:
        """What else writes into the topics while the play runs; here the play itself writes all there is."""
        del pipe
        yield

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Let nothing of `feeding` through inside: an account needs an end."""
        yield

    def close(self) -> None:
        """End every child, the daemon first, and remove the temporary folder."""
        self._ending.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _new_broker(self) -> Broker:
        return BrokerPart(self.folder / "broker")

    def _configured(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the configuration that this stage wants."""
        return document

    def _remove(self) -> None:
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def sweep(folder: Path | None) -> list[Path]:
    """Remove what killed demos have left in `folder` and return it; running ones are left alone."""
    removed: list[Path] = []
    for left in folder.glob(f"{_PREFIX}*") if folder else ():
        try:
            mine = left.stat().st_uid == os.geteuid() and not left.is_symlink()
            pid = int((left / _PID_FILE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if mine and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)
            removed.append(left)
    return removed
