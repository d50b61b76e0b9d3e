"""The pipelines that the settings ask for, read from disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from config.detection import Detection
from config.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from detectors.sigma.pipeline.document import PipelineDocument
    from detectors.sigma.pipeline.pipelines import Pipelines

MAX_BYTES = 4 << 20


def pipelines(detection: Detection) -> Pipelines | None:
    """Load the pipelines of the settings, with the values of the sources that these allow; None: no pipeline.

    Raises ConfigurationError with every problem: file, line, key, what is allowed.
    """
    if not detection.pipelines:
        return None
    from daemon.placeholder_source import fetcher  # pySigma: heavy, and only needed for pipelines
    from detectors.sigma.pipeline.pipelines import Pipelines

    return Pipelines.load(pipeline_documents(detection.pipelines), fetcher(detection.placeholder_sources))


def pipeline_documents(paths: Iterable[Path]) -> list[PipelineDocument]:
    """Read pipeline files. Raises ConfigurationError with every file that cannot be read."""
    from detectors.sigma.pipeline.document import PipelineDocument

    found: list[PipelineDocument] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
            found.append(PipelineDocument(str(path), content.decode("utf-8")))
        except OSError as error:
            problems.append(Problem(str(path), "", f"cannot be read: {error.strerror}"))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(path), "", f"not UTF-8 at byte {error.start}"))
    if problems:
        raise ConfigurationError(problems)
    return found
