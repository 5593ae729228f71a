"""Whether an event of a member's audit log is the write that our log claims under the same Audit-ID.

The Audit-ID is a header that anybody can send who has read it somewhere, so user, object, verb and time
have to be right too.

>>> verbs(ObjectResult.CREATED), verbs(ObjectResult.DELETED)  # server-side apply is a patch
(('patch',), ('delete',))
"""

from __future__ import annotations

from reconciler.audit.kube_event import KubeEvent
from reconciler.model import ObjectResult
from reconciler.pipeline.claims import SKEW, Claim, Run
from reconciler.pipeline.foreign import name_of
from reconciler.pipeline.resources import Resources


def mismatch(event: KubeEvent, claim: Claim, user: str, resources: Resources) -> str:
    """Why the event is not the write that the claim says, "" if it is; ``resources`` learns from it."""
    target, ref = event.target, claim.ref
    if event.user != user or event.impersonated:
        return "another user"
    if name_of(event) != (ref.group, ref.namespace, ref.name):
        return f"another object than {ref}"
    if event.verb not in verbs(claim.result):
        return f"{event.verb} is not what was done"
    if not Run(claim.intent, claim.start, claim.end).covers(event.time):
        return f"more than {SKEW} outside of its run ({claim.start:%Y-%m-%dT%H:%M:%SZ})"
    if target.subresource or not resources.learn(target.group, target.resource, ref.kind):
        return f"another resource than that of {ref.kind}"
    return ""


def verbs(result: ObjectResult) -> tuple[str, ...]:
    """What a write with that result was; either where it failed."""
    if result is ObjectResult.DELETED:
        return ("delete",)
    return ("patch",) if result in (ObjectResult.CREATED, ObjectResult.UPDATED) else ("patch", "delete")
