"""What apply accepts: a signed change set, checked once more against the member and the objects.

This room does not know how change sets are signed. It takes anything of the shape ``Authorization``, calls
its ``verify`` itself, and refuses what the verified contents do not cover, bytes included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from reconciler.member import errors
from reconciler.model import ANNOTATION_DIGEST, Desired, DesiredObject, LiveMeta, ObjectRef, Observation

WRITES = ("create", "update")
REMOVALS = ("delete", "release")  # of an observed object that is not desired


class AuthorizedChange(Protocol):
    """One object's step. Digests are "sha256:<hex>", "" for absent."""

    @property
    def ref(self) -> ObjectRef: ...
    @property
    def action(self) -> str:
        """``create``, ``update``, ``delete`` or ``release``."""
        ...

    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...
    @property
    def resource_version(self) -> str:
        """Of the live object when the plan was made; "" for a create."""
        ...


class ChangeSetView(Protocol):
    """The verified contents of a change set."""

    @property
    def cluster_uid(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def commit(self) -> str: ...
    @property
    def desired_digest(self) -> str: ...
    @property
    def changes(self) -> Sequence[AuthorizedChange]: ...


class Authorization(Protocol):
    """A signed change set."""

    @property
    def digest(self) -> str:
        """ "sha256:<hex>" of the envelope."""
        ...

    def verify(self) -> ChangeSetView:
        """The contents, when the signature is right. Raises TrustError otherwise."""
        ...


def verified(
    authorization: Authorization, desired: Desired, seen: Observation, uid: str, sequence: int
) -> ChangeSetView:
    """The change set, when all of it may be applied now; ``uid``, ``sequence``: the member's own, just read.

    Raises TrustError, WrongClusterError, MovedError, NotAuthorizedError.
    """
    # 1. Signed by the reconciler.
    view = authorization.verify()
    # 2. For this cluster, and younger than what was applied last. Numbers may be missing between: every
    #    signed change set has one, applied or not.
    if view.cluster_uid != uid:
        raise errors.WrongClusterError(
            "the change set is for another cluster", expected=uid, got=view.cluster_uid,
        )  # fmt: skip
    if view.sequence <= sequence:
        raise errors.MovedError(
            "the member has another change set by now", expected=f"a change set after {sequence}",
            got=f"{view.sequence}",
        )  # fmt: skip
    # 3. Made for these very objects.
    if view.desired_digest != desired.digest:
        raise _refused("desired state", view.desired_digest, desired.digest)
    items = {item.ref: item for item in desired.objects}
    if len({change.ref for change in view.changes}) != len(view.changes):
        raise _refused("changes", "each object once", "one twice")
    for change in view.changes:
        if change.action in WRITES:
            _check_write(change, items.get(change.ref))
        else:
            _check_delete(change, items, seen.live.get(change.ref))
    return view


def _check_write(change: AuthorizedChange, item: DesiredObject | None) -> None:
    if item is None or item.digest != change.after:
        raise _refused(str(change.ref), change.after, item.digest if item else "nothing desired")
    actual = body_digest(item.body, item.digest)
    if actual != item.digest:
        raise _refused(f"{change.ref}: its bytes", item.digest, actual)
    if change.action == "update" and not change.resource_version:
        raise _refused(str(change.ref), "a resourceVersion", "none")


def _check_delete(
    change: AuthorizedChange, items: dict[ObjectRef, DesiredObject], live: LiveMeta | None
) -> None:
    if change.action not in REMOVALS or change.ref in items or live is None or not change.resource_version:
        raise _refused(
            str(change.ref), "the deletion or release of an observed object of ours", change.action
        )


def body_digest(body: bytes, digest: str) -> str:
    """ "sha256:<hex>" of what is sent, without the annotation that says ``digest`` (see ``DesiredObject``).

    The annotation is cut out of the canonical bytes: quotes inside a JSON string are escaped, so what matches
    is the annotation and nothing else. Bytes that are not canonical hash to something else, and are refused.
    """
    annotation = b'"%s":"%s",' % (ANNOTATION_DIGEST.encode(), digest.encode())
    return "sha256:" + hashlib.sha256(body.replace(annotation, b"", 1)).hexdigest()


def _refused(what: str, expected: str, got: str) -> errors.NotAuthorizedError:
    return errors.NotAuthorizedError(f"{what} was not authorized", expected=expected, got=got)
