"""Changes of a registration as edits of clusters/<name>.yaml: comments and order stay.

Nothing here judges: the schema does that (``cluster_files``), and then whoever reviews the commit. An edit
works on the plain value as well as on ruamel.yaml's tree (``yaml_edit``).

>>> text = "metadata:\\n  name: a\\nspec:\\n  mode: observe # until the plan is right\\n"
>>> change = Change(mode="enforce", labels={"tier": "edge"})
>>> print(yaml_edit.edited(text, change.apply, name="a.yaml"), end="")
metadata:
  name: a
  labels:
    tier: edge
spec:
  mode: enforce # until the plan is right
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.documents.codes import did_you_mean
from reconciler.errors import SettingsError
from reconciler.pipeline import states
from reconciler.surfaces import yaml_edit

Document = Any  # the Cluster, plain or as ruamel.yaml has it
SUSPEND_REASON = states.SUSPEND_REASON
_METHODS = {
    "kubeconfig": "kubeconfig:PATH",
    "tokenFile": "tokenFile:PATH",
    "clientCertificate": "clientCertificate:CERT,KEY",
    "secretRef": "secretRef:[NAMESPACE/]NAME",
    "exec": "exec:COMMAND ARGS...",
}
_LONGEST_REASON = 500
_UNSAID = ("context", "env")  # of a kubeconfig, of exec
CREDENTIAL_FORMS = ", ".join(_METHODS.values())


@dataclass(frozen=True, slots=True)
class Change:
    """What ``cluster set`` changes; None leaves a field, "" takes it out, so that the default holds."""

    labels: Mapping[str, str | None] = field(default_factory=dict)  # None removes the label
    api_servers: Sequence[str] = ()
    ca_bundle: str | None = None
    credentials: Mapping[str, Any] | None = None  # spec.credentials
    mode: str | None = None
    interval: str | None = None
    kubernetes_version: str | None = None
    tls_server_name: str | None = None

    def apply(self, document: Document) -> None:
        """The edit."""
        _texts(document["metadata"], "labels", self.labels)
        spec = document["spec"]
        if self.api_servers:
            yaml_edit.put(spec, "apiServers", list(self.api_servers))
        if self.ca_bundle is not None:
            yaml_edit.put(spec, "caBundle", yaml_edit.block(self.ca_bundle))
        if self.credentials is not None:
            _credentials(spec, self.credentials)
        for name, value in (
            ("mode", self.mode),
            ("interval", self.interval),
            ("kubernetesVersion", self.kubernetes_version),
            ("tlsServerName", self.tls_server_name),
        ):
            if value == "":
                yaml_edit.remove(spec, name)
            elif value is not None:
                yaml_edit.put(spec, name, value)


def suspend(document: Document, reason: str | None) -> None:
    """Suspend; without a reason, one that is there stays while the cluster is suspended already.

    Raises SettingsError for a reason that is no line of text.
    """
    if reason is not None and not (reason.isprintable() and len(reason) <= _LONGEST_REASON):
        raise SettingsError(
            "the reason cannot be kept", got=f"{reason[:60]!a}, {len(reason)} characters",
            expected=f"one line of printable text, at most {_LONGEST_REASON} characters",
        )  # fmt: skip
    if reason is not None or not document["spec"].get("suspend"):
        _texts(document["metadata"], "annotations", {SUSPEND_REASON: reason or None})
    yaml_edit.put(document["spec"], "suspend", True)


def resume(document: Document) -> None:
    """No longer suspended; the reason goes."""
    _texts(document["metadata"], "annotations", {SUSPEND_REASON: None})
    if document["spec"].get("suspend"):
        yaml_edit.put(document["spec"], "suspend", False)


def _texts(metadata: Document, name: str, changes: Mapping[str, str | None]) -> None:
    """Set and remove labels or annotations; a mapping that would be emptied goes as a whole."""
    new = {key: value for key, value in changes.items() if value is not None}
    held = metadata.get(name)
    if not held and new:
        yaml_edit.put(metadata, name, new)
    elif held and not new and set(held) <= set(changes):
        yaml_edit.remove(metadata, name)
    elif held:
        for key, value in new.items():
            yaml_edit.put(held, key, value)
        for key in (key for key in changes if key not in new):
            yaml_edit.remove(held, key)


def _credentials(spec: Document, value: Mapping[str, Any]) -> None:
    """Another way of logging in replaces the old one; the same one keeps what no form can say."""
    ((method, fields),) = value.items()
    old = spec.get("credentials")
    if isinstance(old, dict) and list(old) == [method] and isinstance(old[method], dict):
        for name in [name for name in old[method] if name not in fields and name not in _UNSAID]:
            yaml_edit.remove(old[method], name)
        for name, text in fields.items():
            yaml_edit.put(old[method], name, text)
    elif isinstance(old, dict) and list(old) == [method]:
        yaml_edit.put(old, method, fields)
    else:
        yaml_edit.put(spec, "credentials", dict(value))


def parse_label(text: str) -> tuple[str, str | None]:
    """ "key=value" sets, "key-" removes (None), as ``kubectl label`` has it. Raises SettingsError."""
    key, equals, value = text.partition("=")
    if equals and key:
        return key, value
    if text.endswith("-") and len(text) > 1 and not equals:
        return text[:-1], None
    raise SettingsError("not a change of a label", expected="KEY=VALUE, or KEY- to remove it", got=text)


def parse_labels(texts: Sequence[str]) -> dict[str, str | None]:
    """Several of them; one key has one change. Raises SettingsError."""
    changes: dict[str, str | None] = {}
    for key, value in map(parse_label, texts):
        if changes.setdefault(key, value) != value:
            raise SettingsError("two changes of one label", where=key, hint="give one of them")
    return changes


def parse_credentials(text: str) -> dict[str, Any]:
    """ "KIND:..." as spec.credentials has it. Raises SettingsError.

    >>> parse_credentials("secretRef:fleet/member-a")
    {'secretRef': {'namespace': 'fleet', 'name': 'member-a'}}
    """
    method, colon, rest = text.partition(":")
    if method not in _METHODS or not colon or not rest.strip():
        hint = did_you_mean(method, _METHODS) if method not in _METHODS else ""
        # What follows the colon may be a secret that was given by mistake: it is not shown.
        raise SettingsError("not a way to log in", expected=CREDENTIAL_FORMS, got=method[:40], hint=hint)
    if method == "tokenFile":
        return {method: rest}
    if method == "kubeconfig":
        return {method: {"path": rest}}
    if method == "secretRef":
        namespace, slash, name = rest.rpartition("/")
        return {method: {"namespace": namespace, "name": name} if slash else {"name": name}}
    return {method: _certificate(rest) if method == "clientCertificate" else _plugin(rest)}


def _certificate(text: str) -> dict[str, Any]:
    certificate, _, key = text.partition(",")
    if not key:
        raise SettingsError("not a way to log in", expected=_METHODS["clientCertificate"], got="one file")
    return {"certFile": certificate, "keyFile": key}


def _plugin(text: str) -> dict[str, Any]:
    try:
        command, *arguments = shlex.split(text)
    except ValueError as error:
        raise SettingsError("not a command line", expected=_METHODS["exec"], got=str(error)) from error
    return {"command": command, "args": arguments} if arguments else {"command": command}
