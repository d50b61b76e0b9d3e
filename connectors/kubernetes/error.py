"""What the API server can answer with. Its own texts are not passed on: they hold what callers wrote.

KubernetesError
├── KubernetesAwayError      unreachable, too slow, 429, 5xx: later it may work; a write may have happened
├── KubernetesDeniedError    401 or 403: our account may not do this
├── KubernetesMissingError   404: it is not there
├── KubernetesConflictError  409 or 412: it is there already, or is not the one we meant
└── KubernetesRefusedError   any other answer, or an answer that we cannot read
"""

from __future__ import annotations


class KubernetesError(Exception):
    """The base of this room's errors. `status` is the HTTP status, 0 for none."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class KubernetesAwayError(KubernetesError):
    """The server cannot be asked now. A call that writes may have happened all the same."""


class KubernetesDeniedError(KubernetesError):
    """The server does not know us, or RBAC does not let us do this."""


class KubernetesMissingError(KubernetesError):
    """The object is not there."""


class KubernetesConflictError(KubernetesError):
    """An object of this name is there already, or it is not the one that was meant (uid, version)."""


class KubernetesRefusedError(KubernetesError):
    """The server understood and said no."""
