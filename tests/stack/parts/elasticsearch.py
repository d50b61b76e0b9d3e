"""Elasticsearch from its published jars: the real server core, without modules, security and x-pack.

The server jar and the HTTP transport are on Maven Central; what answers `GET /` in the full distribution is
not, so a module of ours does. The jars are fetched for a test run and never passed on.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from parts.cache import cached
from parts.java import QUICK_START, compile_classes, fetch_jars, java_home
from parts.part import PartMissingError
from parts.search_node import HEAP, SearchNode, version_of

_SOURCES: Final = Path(__file__).parent.parent / "elasticsearch"
_DESCRIPTOR: Final = "plugin-descriptor.properties"
_JDK: Final = 25
_ZSTD: Final = "libzstd.so.1"
_LIBRARIES: Final = (Path("/usr/lib"), Path("/lib"), Path("/usr/local/lib"))


class ElasticsearchPart(SearchNode):
    """What 8 and 9 share; `major` names the pom and the classes."""

    major: int
    name = "Elasticsearch core"
    # The settings of TLS must be on the module path of 8 and beside the transport in 9.
    beside_transport: tuple[str, ...] = ("transport-netty4-", "netty-")
    native_modules: tuple[str, ...] = ("org.elasticsearch.nativeaccess", "org.apache.lucene.core")

    @property
    def home(self) -> Path:
        """The home folder in the cache; made when it is not there."""
        pom, java = self._pom(), _SOURCES / "java"
        sources = [*sorted((java / "any").glob("*.java")), *sorted((java / str(self.major)).glob("*.java"))]
        made_from = [pom, _SOURCES / _DESCRIPTOR, *sources, Path(__file__)]
        return cached(f"elasticsearch-{self.major}", made_from, lambda home: self._make(home, sources))

    def fetch(self) -> None:
        """Bring server, transport and our three classes into the cache. Raises PartMissingError."""
        java_home(_JDK)
        _ = self.home

    def command(self) -> Sequence[str]:
        """The command line: server jars as modules (on the class path it does not start)."""
        home = self.home
        native = home / "lib" / "platform" / "linux-x64"
        return [
            str(java_home(_JDK) / "bin" / "java"),
            HEAP,
            *QUICK_START,
            f"-Des.path.home={home}",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            # Without its own vector library all native access would be off, and with it zstd.
            "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
            f"-Des.nativelibs.path={native}",
            f"--enable-native-access=ALL-UNNAMED,{','.join(self.native_modules)}",
            "--module-path",
            str(home / "lib"),
            "--add-modules=ALL-MODULE-PATH",
            "-cp",
            str(home / "classes"),
            "StackNode",
            str(home),
            str(self.folder),
            str(self.http_port),
            str(self.transport_port),
            *self.node_settings(),
        ]

    def _make(self, home: Path, sources: Sequence[Path]) -> None:
        jars, classes = home / "lib", home / "classes"
        fetch_jars(self._pom(), jars)
        compile_classes(java_home(_JDK), sources, f"{jars}/*", classes)
        self._make_transport(home)
        _make_root(home, self.version)
        native = jars / "platform" / "linux-x64"
        native.mkdir(parents=True)
        (native / "libzstd.so").symlink_to(_zstd())

    def _make_transport(self, home: Path) -> None:
        module = home / "modules" / "transport-netty4"
        module.mkdir(parents=True)
        for jar in sorted((home / "lib").glob("*.jar")):
            if jar.name.startswith(self.beside_transport):
                shutil.move(jar, module / jar.name)
        with zipfile.ZipFile(module / f"transport-netty4-{self.version}.jar") as jar:
            text = jar.read(f"META-INF/es-plugins/transport-netty4/{_DESCRIPTOR}")
        (module / _DESCRIPTOR).write_bytes(text)

    def _pom(self) -> Path:
        return _SOURCES / f"pom-{self.major}.xml"


class Elasticsearch9Part(ElasticsearchPart):
    """Elasticsearch 9."""

    major = 9
    version = version_of(_SOURCES / "pom-9.xml")
    beside_transport = ("transport-netty4-", "netty-", "elasticsearch-ssl-config-")
    native_modules = (*ElasticsearchPart.native_modules, "org.elasticsearch.foreign")


class Elasticsearch8Part(ElasticsearchPart):
    """Elasticsearch 8.19."""

    major = 8
    version = version_of(_SOURCES / "pom-8.xml")


def _make_root(home: Path, version: str) -> None:
    """The module that answers `GET /`."""
    module = home / "modules" / "stack-root"
    module.mkdir()
    with zipfile.ZipFile(module / "stack-root.jar", "w") as jar:
        for name in ("RootHandler.class", "RootPlugin.class"):
            jar.write(home / "classes" / name, name)
            (home / "classes" / name).unlink()
    text = (_SOURCES / _DESCRIPTOR).read_text(encoding="utf-8").replace("@version@", version)
    (module / _DESCRIPTOR).write_text(text, encoding="utf-8")


def _zstd() -> Path:
    """The system's zstd library; `index.codec: best_compression` needs it."""
    for folder in _LIBRARIES:
        for found in sorted((*folder.glob(_ZSTD), *folder.glob(f"*/{_ZSTD}"))):
            return found
    raise PartMissingError(f"{_ZSTD} is not on this machine: install it (Debian: libzstd1)")
