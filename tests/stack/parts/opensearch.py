"""OpenSearch from its published jars by codelibs' runner: the real server and 15 modules, no plugins.

So there is no security (TLS, users) and no index state management on these nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from parts.cache import cached
from parts.java import QUICK_START, compile_classes, fetch_jars, java_home
from parts.search_node import HEAP, SearchNode, version_of

_SOURCES: Final = Path(__file__).parent.parent / "opensearch"


def _server_version(pom: str) -> str:
    """The runner counts its own releases in a fourth number."""
    return version_of(_SOURCES / pom).rpartition(".")[0]


class OpenSearchPart(SearchNode):
    """What 2 and 3 share; `jdk` is the Java that the version runs on."""

    major: int
    jdk: int
    name = "OpenSearch"

    @property
    def home(self) -> Path:
        """The folder of jars and classes in the cache; made when it is not there."""
        sources = sorted((_SOURCES / "java").glob("*.java"))
        pom = _SOURCES / f"pom-{self.major}.xml"

        def make(home: Path) -> None:
            fetch_jars(pom, home / "lib")
            compile_classes(java_home(self.jdk), sources, f"{home / 'lib'}/*", home / "classes")

        return cached(f"opensearch-{self.major}", [pom, *sources, Path(__file__)], make)

    def fetch(self) -> None:
        """Bring server, modules and our class into the cache. Raises PartMissingError."""
        java_home(self.jdk)
        _ = self.home

    def command(self) -> Sequence[str]:
        """The command line; a plain class path is fine here."""
        home = self.home
        return [
            str(java_home(self.jdk) / "bin" / "java"),
            HEAP,
            *QUICK_START,
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "-cp",
            f"{home / 'lib'}/*:{home / 'classes'}",
            "StackNode",
            str(self.folder),
            str(self.http_port),
            str(self.transport_port),
            *self.node_settings(),
        ]


class OpenSearch3Part(OpenSearchPart):
    """OpenSearch 3."""

    major = 3
    jdk = 25
    version = _server_version("pom-3.xml")


class OpenSearch2Part(OpenSearchPart):
    """OpenSearch 2."""

    major = 2
    jdk = 17
    version = _server_version("pom-2.xml")
