"""Which role may hold which secret (contracts, section 1); the rest is taken out before a role starts."""

from __future__ import annotations

from config.kafka import LOGIN, Kafka
from config.response import Response
from config.secret import Secret
from config.settings import Role, Settings
from config.vault import Vault

_NO_HASH = "0" * 64


def scoped(settings: Settings, role: Role) -> Settings:
    """Return `settings` without the secrets that `role` has no use for.

    detect, correlate: Kafka. forward: Kafka and its targets. respond: Kafka, SQL, vault, probes,
    notifiers; approvers by name only. web: SQL and the approvers' hashes.
    """
    update: dict[str, object] = {}
    if role == "web":
        update["kafka"] = settings.kafka.model_copy(update={name: getattr(Kafka(), name) for name in LOGIN})
    if role != "forward":
        update["forwarding"] = settings.forwarding.model_copy(update={"targets": ()})
    if role != "respond":
        update["vault"] = Vault(address=settings.vault.address)
        update["notify"] = ()
        update["response"] = _response_for(settings.response, role)
    if role == "respond":
        update["web"] = settings.web.model_copy(
            update={
                "approvers": tuple(
                    a.model_copy(update={"token_sha256": _NO_HASH}) for a in settings.web.approvers
                )
            }
        )
    elif role != "web":
        update["web"] = settings.web.model_copy(update={"approvers": ()})
    return settings.model_copy(update=update)


def _response_for(response: Response, role: Role) -> Response:
    targets = tuple(
        target.model_copy(update={"probe": target.probe.model_copy(update={"observer_password": Secret()})})
        for target in response.targets
    )
    database = response.database_url if role == "web" else Secret()
    return response.model_copy(update={"targets": targets, "database_url": database})
