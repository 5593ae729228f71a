"""Clusters that others publish as ClusterProfiles on the primary, and drafts of their registrations.

Rules kept here
- What is published is untrusted (``member.published``): it is shown, and becomes a file that the schema
  judges and a person reviews. Nothing published is contacted; how to log in is never taken from it.
- A cluster counts as registered when a registration has one of its API servers, or when the log knows its uid
  as a registration's. Both can be lied about: that decides nothing but what is drafted.
- A draft is in mode observe: its first run only plans.

>>> same_server("https://EU-1.example:443/"), same_server("https://eu-1.example")
('https://eu-1.example:443', 'https://eu-1.example:443')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from reconciler.audit.state import LogState
from reconciler.documents import Fleet
from reconciler.documents.formats import is_label_value
from reconciler.member.errors import PublishedError
from reconciler.member.published import Published
from reconciler.model import API_VERSION
from reconciler.surfaces import yaml_edit

_VERSION = re.compile(r"v?(1\.[0-9]{1,3})(?:[.+-].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Discovered:
    """A published cluster; ``registered`` names its registration, "" for none, ``by`` how that is known."""

    published: Published
    registered: str = ""
    by: str = ""  # "API server" or "uid"


def discovered(found: Iterable[Published], fleet: Fleet, state: LogState | None) -> tuple[Discovered, ...]:
    """Each with its registration, as far as there is one."""
    servers = {same_server(url): str(c.name) for c in fleet.clusters for url in c.api_servers}
    uids = _uids(fleet, state) if state else {}
    return tuple(_known(one, servers, uids) for one in found)


def _known(one: Published, servers: Mapping[str, str], uids: Mapping[str, str]) -> Discovered:
    for url in one.servers:
        if name := servers.get(same_server(url)):
            return Discovered(one, name, "API server")
    for value in one.properties.values():
        if name := uids.get(value):
            return Discovered(one, name, "uid")
    return Discovered(one)


def _uids(fleet: Fleet, state: LogState) -> dict[str, str]:
    """The uids that the log knows of what is registered."""
    known: dict[str, str] = {}
    for cluster in fleet.clusters:
        intent, joined = state.cluster(cluster.name).intent, state.membership.joined.get(cluster.name)
        found = (one.cluster_uid for one in (intent, joined) if one)
        known |= {uid: str(cluster.name) for uid in found if uid}
    return known


def same_server(url: str) -> str:
    """A URL by which equal API servers are found equal."""
    parts = urlsplit(url)
    return f"https://{parts.hostname}:{parts.port or 443}{parts.path.rstrip('/')}"


def chosen(found: Sequence[Discovered], name: str) -> Discovered:
    """The cluster of a name, or of "namespace/name", that can be registered. Raises PublishedError."""
    named = [one for one in found if name in (one.published.name, one.published.key)]
    if not named:
        raise PublishedError("no such cluster is published", got=name[:300])
    if len(named) > 1:
        several = ", ".join(one.published.key for one in named[:10])
        raise PublishedError(
            "several clusters of this name are published", got=several, expected="NAMESPACE/NAME"
        )
    (one,) = named
    if one.registered:
        raise PublishedError(
            f"the cluster is registered already as {one.registered}, by its {one.by}",
            where=one.published.key,
            hint="use the registration that there is, or remove it first",
        )  # fmt: skip
    if not one.published.access:
        raise PublishedError(
            "it publishes no address that a registration can have", where=one.published.key,
            got="; ".join(one.published.left_out)[:500] or "no access provider",
        )  # fmt: skip
    return one


def draft(one: Published, labels: Mapping[str, str | None], credentials: Mapping[str, Any]) -> bytes:
    """clusters/<name>.yaml; ``labels`` come before the published ones, None takes one out."""
    merged = {**one.labels, **labels}
    kept = {key: value for key, value in sorted(merged.items()) if value is not None}
    first, *others = one.access
    same = [a.server for a in others if (a.ca_bundle, a.server_name) == (first.ca_bundle, first.server_name)]
    spec: dict[str, Any] = {"apiServers": list(dict.fromkeys([first.server, *same]))}
    if first.ca_bundle:
        spec["caBundle"] = yaml_edit.block(first.ca_bundle)
    if first.server_name:
        spec["tlsServerName"] = first.server_name
    spec["credentials"] = dict(credentials)
    if version := _VERSION.fullmatch(one.version):
        spec["kubernetesVersion"] = version[1]
    spec["mode"] = "observe"
    metadata = {"name": one.name} | ({"labels": kept} if kept else {})
    document = {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": metadata, "spec": spec}
    manager = one.manager if one.manager and is_label_value(one.manager) else "an unnamed manager"
    head = (
        f"# Drafted from the ClusterProfile {one.key}, published by {manager}. Compare URL and CA with what\n"
        "# the cluster's administrator says before you sign.\n"
    )
    return (head + yaml_edit.as_yaml(document)).encode()
