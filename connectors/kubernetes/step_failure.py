"""The API server's errors as failed steps, chained to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from connectors.kubernetes.error import KubernetesAwayError, KubernetesConflictError, KubernetesError
from connectors.kubernetes.names import NotANameError
from connectors.kubernetes.workload import NotExactError
from playbooks.ports import StepFailedError

_T = TypeVar("_T")
KUBERNETES: Final = "kubernetes"


def at_kubernetes(work: Callable[[], _T]) -> _T:
    """Do `work`. Raises StepFailedError for what the API server, a name or a selector says against it.

    An absent server and a conflict are worth another look; a refusal is not.
    """
    failure: StepFailedError
    try:
        return work()
    except KubernetesAwayError as error:
        failure = StepFailedError(str(error), retry=True, unavailable=KUBERNETES)
    except KubernetesConflictError as error:
        failure = StepFailedError(str(error), retry=True)
    except (KubernetesError, NotANameError, NotExactError) as error:
        failure = StepFailedError(str(error), retry=False)
    raise failure
