"""Placeholder values from files, addresses and programs that the operator's settings name, one by one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import httpx

from config.detection import PlaceholderSources
from detectors.sigma.pipeline.source import Fetch, Source, SourceError, none_allowed

_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "TZ")


def fetcher(allowed: PlaceholderSources) -> Fetch:
    """Return what reads the sources that `allowed` names; it refuses every other one."""

    def fetch(source: Source) -> str:
        if source.kind == "file":
            paths = {path.resolve() for path in allowed.file}
            wanted = Path(source.what[0]).resolve()
            return _file(wanted, source) if wanted in paths else none_allowed(source)
        if source.kind == "http":
            return _http(source) if source.what[0] in allowed.http else none_allowed(source)
        return _command(source) if source.what in allowed.command else none_allowed(source)

    return fetch


def _file(path: Path, source: Source) -> str:
    try:
        with path.open("rb") as file:
            return _text(file.read(source.max_bytes + 1), source)
    except OSError as error:
        raise SourceError(f"{source.name} cannot be read: {error.strerror}") from error


def _http(source: Source) -> str:
    """GET without redirects: an answer that leads elsewhere is not what the operator named."""
    content = bytearray()
    try:
        with httpx.stream(
            "GET",
            source.what[0],
            headers=dict(source.headers),
            params=dict(source.params) or None,
            timeout=source.timeout_s,
            follow_redirects=False,
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise SourceError(f"{source.name} answers {answer.status_code}")
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > source.max_bytes:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{source.name} cannot be read: {type(error).__name__}") from error
    return _text(bytes(content), source)


def _command(source: Source) -> str:
    """Run a program without a shell, with no input and of our variables only the path and the language."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        with tempfile.TemporaryFile() as out:
            done = subprocess.run(
                source.what,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=source.timeout_s,
                check=False,
            )
            out.seek(0)
            content = out.read(source.max_bytes + 1)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"{source.name} cannot be run: {type(error).__name__}") from error
    if done.returncode:
        raise SourceError(f"{source.name} ends with {done.returncode}")
    return _text(content, source)


def _text(content: bytes, source: Source) -> str:
    if len(content) > source.max_bytes:
        raise SourceError(f"{source.name} gives more than {source.max_bytes} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"{source.name} is not UTF-8") from error
