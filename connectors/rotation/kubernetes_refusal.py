"""Showing the API server an old token until it refuses it often and long enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.token import review
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepContext, StepFailedError
from playbooks.proof import MIN_REFUSALS, MIN_REFUSED_S, Check

PATIENCE_S: Final = 25.0
"""The API server takes a token that it took before for 10 s more (its authentication cache)."""
OBSERVER: Final = "kubernetes TokenReview"
_NEEDED_S: Final = MIN_REFUSED_S + 0.05


def until_refused(
    server: KubernetesClient, old: SecretText, context: StepContext, sleep: Callable[[float], None]
) -> Check:
    """Return the check once `old` was refused three times in a row over 3 s. Takes up to half a minute.

    Raises StepFailedError with the failed check when it is still taken after that, and KubernetesError.
    """
    begun = first = context.now()
    refusals = 0
    while True:
        taken = review(server, old).accepted
        now = context.now()
        if taken and now - begun > PATIENCE_S:
            check = Check("old_refused", False, 1, first, now, OBSERVER, "authenticated=true")
            raise StepFailedError("the old token is still taken", retry=True, checks=[check])
        first = now if taken or refusals == 0 else first
        refusals = 0 if taken else refusals + 1
        if refusals >= MIN_REFUSALS and now - first >= _NEEDED_S:
            return Check("old_refused", True, refusals, first, now, OBSERVER, "authenticated=false")
        sleep(_NEEDED_S / MIN_REFUSALS)
