"""May the ClusterProfiles that a plan makes be made on the primary?

A plan that would make one where the kind or the namespace is missing is said so (FW1785) and, in a run,
refused before anything of it is written. It is no failure of the connection: the next run looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.compile.custom import CRD_GROUP, CRD_KIND
from reconciler.compile.profile_crd import CRD_NAME, PROFILE
from reconciler.member.errors import UnpreparedError
from reconciler.model import Desired, ObjectRef
from reconciler.plan import Action, Plan

if TYPE_CHECKING:  # two commits are compared without a client
    from reconciler.member.client import Member


async def unprepared(member: Member, desired: Desired, plan: Plan) -> UnpreparedError | None:
    """Why the profiles that the plan makes cannot be made. Raises MemberError."""
    made = [change.ref for change in plan.changes if change.action is Action.CREATE]
    spaces = sorted({ref.namespace for ref in made if (ref.group, ref.kind) == PROFILE})
    coming = {item.ref for item in desired.objects} if spaces else set()
    if ObjectRef(CRD_GROUP, CRD_KIND, "", CRD_NAME) in coming:
        return None
    try:
        for space in spaces:
            wanted = ObjectRef("", "Namespace", "", space) in coming
            await member.require_profiles(space, wanted=wanted)
    except UnpreparedError as error:
        return error
    return None
