"""Changes of the trust root as edits of federation.yaml: comments and order stay, the version grows by one.

Nothing here judges: what is written is reviewed, signed and merged like any other change. Edits are functions
from the document to nothing; ``edited`` applies one and counts the version up.

>>> text = "spec:\\n  # people\\n  signers:\\n  - name: alice\\n    keys: [ssh-ed25519 AAAA]\\n"
>>> print(edited(text, lambda spec: add_signer(spec, "bob", keys=["ssh-ed25519 BBBB"])), end="")
spec:
  # people
  signers:
  - name: alice
    keys: [ssh-ed25519 AAAA]
  - name: bob
    keys:
    - ssh-ed25519 BBBB
  trust:
    version: 2
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from reconciler.documents.formats import parse_time
from reconciler.errors import SettingsError
from reconciler.surfaces import yaml_edit

Spec = dict[str, Any]  # Federation.spec, plain or as ruamel.yaml has it


def edited(text: str, edit: Callable[[Spec], None]) -> str:
    """``text`` of federation.yaml after ``edit``, with the next root version.

    Raises SettingsError, also where everything is there already: a version stands for a change.
    """

    def change(document: dict[str, Any]) -> None:
        spec = document["spec"]
        before = deepcopy(spec)
        edit(spec)
        if spec == before:
            raise SettingsError("nothing would change", hint="federation.yaml has all of it already")
        trust = spec.setdefault("trust", {})
        trust["version"] = trust.get("version", 1) + 1

    return yaml_edit.edited(text, change, name="federation.yaml")


def add_signer(
    spec: Spec,
    name: str,
    *,
    keys: Sequence[str] = (),
    openpgp: Sequence[str] = (),
    principals: Sequence[str | dict[str, str]] = (),
    roles: Sequence[str] = (),
    valid_after: datetime | None = None,
    valid_before: datetime | None = None,
) -> None:
    """Add a signer, or keys, principals and roles to one that is there; times are those of the new keys."""
    signer = _find(spec, name)
    if signer is None:
        signer = {"name": name}
        spec.setdefault("signers", []).append(signer)
    window = {"validAfter": valid_after, "validBefore": valid_before}
    times = {field: f"{time:%Y-%m-%dT%H:%M:%SZ}" for field, time in window.items() if time}
    _extend(signer, "roles", roles)
    _extend(signer, "keys", [{"key": key, **times} if times else key for key in keys])
    blocks = [yaml_edit.block(key) for key in openpgp]
    _extend(signer, "openpgp", [{"key": key, **times} if times else key for key in blocks])
    _extend(signer, "principals", principals)


def rotate(spec: Spec, name: str, new_key: str, until: datetime) -> None:
    """Add ``new_key``; every other SSH key of the signer counts for what is first seen before ``until``.

    A key that ends earlier keeps its end. Raises SettingsError for a key that is there already.
    """
    signer = _known(spec, name)
    keys = signer.setdefault("keys", [])
    if new_key in map(_text, keys):
        raise SettingsError("the signer has this key already", where=name, hint="make a new key: ssh-keygen")
    for index, key in enumerate(keys):
        held = {"key": key} if isinstance(key, str) else dict(key)
        ends = held.get("validBefore")
        if ends is None or parse_time(ends) > until:
            keys[index] = held | {"validBefore": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    keys.append(new_key)


def revoke(spec: Spec, name: str, keys: Collection[str] = ()) -> None:
    """Remove these SSH keys ("TYPE BASE64") of a signer, or the signer."""
    signer = _known(spec, name)
    if keys:
        held = signer.get("keys", [])
        left = [key for key in held if _text(key) not in keys]
        if len(held) - len(left) != len(set(keys)):
            raise SettingsError(
                "the signer has no such key", where=name, hint="`ssh-keygen -lf` shows whose it is"
            )
        if left:
            signer["keys"] = left
        else:
            del signer["keys"]
    if not keys or not signer.keys() & {"keys", "openpgp", "principals"}:
        spec["signers"].remove(signer)
    if not spec["signers"]:
        raise SettingsError(
            "nobody would be left who could sign anything", where=name, hint="add a signer first"
        )


def _text(key: Any) -> str:
    return " ".join((key if isinstance(key, str) else key["key"]).split()[:2])


def _find(spec: Spec, name: str) -> Any:
    return next((signer for signer in spec.get("signers", []) if signer["name"] == name), None)


def _known(spec: Spec, name: str) -> Any:
    signer = _find(spec, name)
    if signer is None:
        known = ", ".join(signer["name"] for signer in spec.get("signers", []))
        raise SettingsError("no such signer", expected=known, got=name)
    return signer


def _extend(signer: Any, field: str, values: Sequence[Any]) -> None:
    if new := [value for value in values if value not in signer.get(field, [])]:
        signer.setdefault(field, []).extend(new)
