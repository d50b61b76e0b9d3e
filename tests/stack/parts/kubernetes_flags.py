"""What etcd and kube-apiserver are started with: loopback only, no fsync, audit to file and webhook."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from parts.kubernetes_build import SOURCES

from daemon.demo.parts.ports import LOOPBACK

POLICY: Final = SOURCES / "audit-policy.yaml"
_NOWHERE: Final = "192.0.2.1"
"""RFC 5737: the server would publish the machine's own address otherwise."""
MAX_EVENT_BYTES: Final = 100_000
MAX_BATCH_BYTES: Final = 800_000
"""Below Kafka's default of 1 MiB for a record; an event over the limit loses its bodies (`truncated`)."""


def etcd_flags(folder: Path, port: int, peer_port: int) -> tuple[str, ...]:
    """Return the flags of an etcd of one member that forgets nothing but a power cut."""
    client, peer = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{peer_port}"
    return (
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
    )


def api_server_flags(folder: Path, port: int, etcd_port: int, audit_log: Path) -> tuple[str, ...]:
    """Return the flags of the API server. `folder` holds tokens.csv, users.yaml, webhook.yaml and sa.*."""
    return (
        f"--etcd-servers=http://{LOOPBACK}:{etcd_port}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--advertise-address={_NOWHERE}",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={folder / 'certs'}",
        f"--service-account-key-file={folder / 'sa.pub'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=Node,RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        f"--authentication-token-webhook-config-file={folder / 'users.yaml'}",
        "--authentication-token-webhook-version=v1",
        # Without a controller manager no default service account exists, and every pod would be refused.
        "--disable-admission-plugins=ServiceAccount",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={POLICY}",
        f"--audit-log-path={audit_log}",
        f"--audit-webhook-config-file={folder / 'webhook.yaml'}",
        "--audit-webhook-batch-max-wait=200ms",
        "--audit-webhook-initial-backoff=1s",
        "--audit-webhook-truncate-enabled",
        f"--audit-webhook-truncate-max-event-size={MAX_EVENT_BYTES}",
        f"--audit-webhook-truncate-max-batch-size={MAX_BATCH_BYTES}",
        "--max-requests-inflight=200",
        "--max-mutating-requests-inflight=100",
        "--shutdown-send-retry-after=false",
    )
