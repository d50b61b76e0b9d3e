"""`davylamp run` with some of the roles. Run: supervised.py CONFIG ROLE..."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

from config.loader import load
from config.settings import Role
from daemon import logs
from daemon.supervisor import Supervisor

if __name__ == "__main__":
    config = Path(sys.argv[1])
    settings = load(config)
    logs.configure(settings.operation.log_level, "supervisor")
    roles = cast("list[Role]", sys.argv[2:])
    sys.exit(asyncio.run(Supervisor(settings, roles, lambda: load(config)).run()))
