"""Whether an object has become what it should be: the conventions of kstatus (sigs.k8s.io/cli-utils).

What has no status is current once it exists. ``observedGeneration`` behind ``generation`` means that its
controller has not looked yet. ``Stalled``, ``Reconciling`` and ``Ready`` conditions count on every kind.

>>> status_of({"kind": "ConfigMap", "metadata": {}}).state
<State.CURRENT: 'current'>
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reconciler.model import Json


class State(StrEnum):
    """As kstatus names them."""

    CURRENT = "current"
    IN_PROGRESS = "in progress"
    FAILED = "failed"
    TERMINATING = "terminating"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """A state and, unless current, why."""

    state: State
    message: str = ""


CURRENT = Health(State.CURRENT)


def status_of(body: Json) -> Health:
    """The health of a full object as the API server gives it; never raises for its contents."""
    try:
        return _status_of(body)
    except (KeyError, TypeError, AttributeError, ValueError):
        return Health(State.UNKNOWN, "the object has another shape than its kind")


def _status_of(body: dict[str, Any]) -> Health:
    metadata = body["metadata"]
    if metadata.get("deletionTimestamp"):
        return Health(State.TERMINATING, "deletion is waiting for finalizers or contents")
    status = body.get("status") or {}
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation", observed):
        return _progress(f"generation {metadata['generation']} not observed yet")
    group = body.get("apiVersion", "").rpartition("/")[0]
    rule = _RULES.get((group, body["kind"]))
    return rule(body.get("spec") or {}, status) if rule else _generic(status)


def _generic(status: dict[str, Any]) -> Health:
    found = _conditions(status)
    if "Stalled" in found and found["Stalled"]["status"] == "True":
        return Health(State.FAILED, _why(found["Stalled"]))
    if "Reconciling" in found and found["Reconciling"]["status"] == "True":
        return _progress(_why(found["Reconciling"]))
    if "Ready" in found and found["Ready"]["status"] != "True":
        return _progress(_why(found["Ready"]))
    return CURRENT


def _deployment(spec: dict[str, Any], status: dict[str, Any]) -> Health:
    found = _conditions(status)
    if found.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        return Health(State.FAILED, _why(found["Progressing"]))
    wanted = spec.get("replicas", 1)
    if (health := _replicas(status, wanted, "updatedReplicas", "availableReplicas")) is not CURRENT:
        return health
    if status.get("replicas", 0) > wanted:
        return _progress(f"{status['replicas'] - wanted} old replicas left")
    return _observed(status)


def _stateful_set(spec: dict[str, Any], status: dict[str, Any]) -> Health:
    wanted = spec.get("replicas", 1)
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return _observed(status)
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0)
    if (health := _replicas(status, wanted, "readyReplicas")) is not CURRENT:
        return health
    if status.get("updatedReplicas", 0) < wanted - partition:
        return _progress(f"{status.get('updatedReplicas', 0)} of {wanted - partition} updated")
    return _observed(status)


def _daemon_set(spec: dict[str, Any], status: dict[str, Any]) -> Health:  # noqa: ARG001 - one signature
    if "desiredNumberScheduled" not in status:
        return _progress("not scheduled yet")
    wanted = status["desiredNumberScheduled"]
    health = _replicas(status, wanted, "updatedNumberScheduled", "numberAvailable", "numberReady")
    return _observed(status) if health is CURRENT else health


def _job(spec: dict[str, Any], status: dict[str, Any]) -> Health:  # noqa: ARG001 - one signature
    found = _conditions(status)
    if found.get("Failed", {}).get("status") == "True":
        return Health(State.FAILED, _why(found["Failed"]))
    if found.get("Complete", {}).get("status") == "True" or status.get("startTime"):
        return CURRENT  # a job that runs is as wanted, as kstatus has it
    return _progress("not started yet")


def _pod(spec: dict[str, Any], status: dict[str, Any]) -> Health:  # noqa: ARG001 - one signature
    phase = status.get("phase", "Pending")
    if phase == "Succeeded":
        return CURRENT
    if phase == "Failed":
        return Health(State.FAILED, str(status.get("message") or status.get("reason") or "failed"))
    for container in status.get("containerStatuses") or ():
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason", "")
        if reason in ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"):
            return Health(State.FAILED, f"{container.get('name')}: {reason}")
    ready = _conditions(status).get("Ready", {}).get("status") == "True"
    return CURRENT if phase == "Running" and ready else _progress(f"pod is {phase.lower()}, not ready")


def _claim(spec: dict[str, Any], status: dict[str, Any]) -> Health:  # noqa: ARG001 - one signature
    phase = status.get("phase")
    return CURRENT if phase == "Bound" else _progress(f"claim is {phase or 'pending'}")


def _service(spec: dict[str, Any], status: dict[str, Any]) -> Health:
    if spec.get("type") != "LoadBalancer" or (status.get("loadBalancer") or {}).get("ingress"):
        return CURRENT
    return _progress("no load balancer address yet")


def _definition(spec: dict[str, Any], status: dict[str, Any]) -> Health:  # noqa: ARG001 - one signature
    found = _conditions(status)
    if found.get("NamesAccepted", {}).get("status") == "False":
        return Health(State.FAILED, _why(found["NamesAccepted"]))
    if found.get("Established", {}).get("status") == "True":
        return CURRENT
    return _progress("not established yet")


def _replicas(status: dict[str, Any], wanted: int, *fields: str) -> Health:
    for name in fields:
        if (have := status.get(name, 0)) < wanted:
            return _progress(f"{name}: {have} of {wanted}")
    return CURRENT


def _observed(status: dict[str, Any]) -> Health:
    return CURRENT if "observedGeneration" in status else _progress("no controller has looked at it yet")


def _conditions(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def _why(condition: dict[str, Any]) -> str:
    return str(condition.get("message") or condition.get("reason") or condition["type"])


def _progress(message: str) -> Health:
    return Health(State.IN_PROGRESS, message)


_RULES: dict[tuple[str, str], Callable[[dict[str, Any], dict[str, Any]], Health]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
