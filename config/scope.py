"""Which role may hold which secret (contracts, section 1); the rest is taken out before a role starts."""

from __future__ import annotations

from config.cluster import Cluster
from config.evidence import Evidence
from config.kafka import LOGIN, Kafka
from config.own_logins import own_denials
from config.response import Response
from config.secret import Secret
from config.settings import Role, Settings
from config.vault import Vault

_NO_HASH = "0" * 64


def scoped(settings: Settings, role: Role) -> Settings:
    """Return `settings` without the secrets that `role` has no use for.

    detect, correlate: Kafka; detect: also the key of canaries. forward: Kafka and its targets. respond:
    Kafka, SQL, vault, cluster, probes, notifiers; approvers by name only, others' logins by name, never to
    be acted on. web: SQL and the approvers' hashes.
    None holds the key that signs evidence: only commands read it.
    """
    update: dict[str, object] = {"evidence": Evidence()}
    if role == "web":
        update["kafka"] = settings.kafka.model_copy(update={name: getattr(Kafka(), name) for name in LOGIN})
    if role != "detect":
        update["canary"] = settings.canary.without_key()
    if role != "forward":
        update["forwarding"] = settings.forwarding.model_copy(update={"targets": ()})
    if role != "respond":
        update["vault"] = Vault(address=settings.vault.address)
        update["notify"] = ()
        update["response"] = _response_for(settings.response, role)
    if role == "respond":
        update["response"] = settings.response.model_copy(update={"deny": own_denials(settings)})
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
    targets = tuple(target.bare() for target in response.targets)
    database = response.database_url if role == "web" else Secret()
    containment = response.containment.model_copy(update={"cluster": Cluster()})
    kept = {"targets": targets, "database_url": database, "containment": containment}
    return response.model_copy(update=kept)
