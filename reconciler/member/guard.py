"""The guard: an admission policy that lets nobody but the reconciler write what is federated.

- It holds for every object with our ApplySet label and for the parent with its record, old and new state,
  so the label cannot be taken off either; it holds for ``system:masters`` too.
- Status and other subresources stay free. What the control plane does itself stays possible: its controllers
  (service accounts of kube-system) delete namespaces' contents, collect garbage, set finalizers, bind
  volumes, fill aggregated roles; kubelets remove finished pods.
- Fail closed. The API server exempts admission policies themselves from policies: RBAC and the drift
  check look after the guard, which is applied last.

>>> [item["kind"] for item in guard_objects("system:serviceaccount:federation-system:federation-reconciler")]
['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding', 'ValidatingAdmissionPolicyBinding']
"""

from __future__ import annotations

import json

from reconciler.member.parts import LABEL_RECORD
from reconciler.model import APPLYSET_ID, LABEL_PART_OF, Json

POLICY = "fleetward-guard"
_API = "admissionregistration.k8s.io/v1"
_CONTROL_PLANE = ("system:apiserver", "system:kube-controller-manager")
_MESSAGE = (
    "{kind} {name} is federated: only {username} may change or delete it. Change it in the fleet's Git "
    "repository. In an emergency an administrator removes the ValidatingAdmissionPolicyBinding {policy}"
)


def guard_objects(username: str) -> list[dict[str, Json]]:
    """Policy and bindings for a member whose reconciler is ``username``, without our labels."""
    return [
        _policy(username),
        _binding(POLICY, {LABEL_PART_OF: APPLYSET_ID}, []),
        _binding(f"{POLICY}-record", {}, [{"key": LABEL_RECORD, "operator": "Exists"}]),
    ]


def _policy(username: str) -> dict[str, Json]:
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": POLICY},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [
                    {
                        "apiGroups": ["*"],
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE", "DELETE"],
                        "resources": ["*"],  # without "/": no subresources
                        "scope": "*",
                    }
                ],
            },
            "validations": [
                {
                    "expression": _expression(username),
                    "messageExpression": _message(username),
                    "reason": "Forbidden",
                }
            ],
        },
    }


def _expression(username: str) -> str:
    names = ", ".join(_quoted(name) for name in (username, *_CONTROL_PLANE))
    return (
        f"request.userInfo.username in [{names}]"
        " || 'system:serviceaccounts:kube-system' in request.userInfo.groups"
        " || (request.operation == 'DELETE' && 'system:nodes' in request.userInfo.groups)"
    )


def _message(username: str) -> str:
    text = _MESSAGE.format(kind="\0", name="\0", username=username, policy=POLICY)
    before, between, after = text.split("\0")
    return f"{_quoted(before)} + request.kind.kind + {_quoted(between)} + request.name + {_quoted(after)}"


def _quoted(text: str) -> str:
    # CEL's string literals take JSON's escapes.
    return json.dumps(text)


def _binding(name: str, labels: dict[str, str], expressions: list[Json]) -> dict[str, Json]:
    selector: dict[str, Json] = {"matchLabels": labels} if labels else {"matchExpressions": expressions}
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": POLICY,
            "validationActions": ["Deny"],
            "matchResources": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": selector,
            },
        },
    }
