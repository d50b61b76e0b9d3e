"""Logs: one JSON object a line on stderr; the libraries' own logs go the same way."""

from __future__ import annotations

import logging
import sys

import structlog

_QUIET = (
    "aiokafka",
    "faust",
    "mode",
    "httpx",
    "httpcore",
    "urllib3",
    "uvicorn",
    "alembic",
    "asyncio",
)


def configure(level: str, role: str) -> None:
    """Route structlog and stdlib logging to stderr as JSON. `level` is the least severity shown."""
    number = logging.getLevelName(level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.contextvars.bind_contextvars(role=role)
