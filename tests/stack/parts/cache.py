"""Where fetched and built programs are kept between runs, each under a key of what it was made from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """`DAVYLAMP_STACK_CACHE`, else `davylamp-stack` in the user's cache folder."""
    given = os.environ.get("DAVYLAMP_STACK_CACHE")
    return Path(given) if given else _user_caches() / "davylamp-stack"


def _user_caches() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def keep_programs() -> None:
    """Hold this process and its children to the present caches, Go's too, wherever XDG_CACHE_HOME goes."""
    programs = cache_folder()
    os.environ["DAVYLAMP_STACK_CACHE"] = str(programs)
    os.environ.setdefault("GOCACHE", str(_user_caches() / "go-build"))


def cached(name: str, made_from: list[Path], make: Callable[[Path], None]) -> Path:
    """Return the folder `NAME-KEY`; `make(empty folder)` fills it if it is not there yet.

    KEY is the hash of the files in `made_from`. A folder that `make` did not finish is never seen;
    two runs at once wait for each other.
    """
    key = hashlib.sha256(b"\0".join(path.read_bytes() for path in made_from)).hexdigest()[:16]
    target = cache_folder() / f"{name}-{key}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            draft = target.with_name(f"{target.name}.draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            make(draft)
            draft.replace(target)
    return target
