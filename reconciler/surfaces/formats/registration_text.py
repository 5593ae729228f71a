"""Everything about one registration, as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.audit.state import ClusterState
from reconciler.documents import Cluster, Credentials
from reconciler.surfaces.formats import findings
from reconciler.surfaces.formats.ages import age
from reconciler.surfaces.formats.findings import Paint, plain
from reconciler.surfaces.formats.registrations import endpoint_of, labels
from reconciler.surfaces.formats.safe import safe
from reconciler.surfaces.formats.words import counted
from reconciler.surfaces.registrations import Detail, Registered

_MOST = 40  # documents that the text names


def text(found: Detail, now: datetime, paint: Paint = plain) -> str:
    """The registration, what is placed there, what the log and the last contact say."""
    cluster = found.registered.cluster
    at = found.commit[:12] or "the work tree"
    lines = [f"{paint(safe(cluster.name), 'heading')}  {safe(str(cluster.source))} at {at}"]
    lines += [f"  {name:<12}{safe(value)}".rstrip() for name, value in _registration(found.registered, now)]
    lines += [f"  {name:<12}{safe(value)}" for name, value in _state(found, now)]
    lines += [f"  {name:<12}{safe(value)}".rstrip() for name, value in _placed(found)]
    return "\n".join(lines) + "\n" + findings.text(found.findings, paint)


def _standing(one: Registered, now: datetime) -> str:
    found = one.standing
    if found is None:
        return "unknown: never seen from here"
    since = f", {age(found.since, now)}" if found.since else ""
    return f"{found.state.value}{since}" + (f": {found.reason}" if found.reason else "")


def _server(url: str, one: Registered, now: datetime) -> str:
    """The URL, and since when it is healthy or failing."""
    known = endpoint_of(url, one)
    if known.since is None:
        return url
    if known.healthy:
        return f"{url}  healthy since {_moment(known.since, now)}"
    last = f", last answer {_moment(known.answered, now)}" if known.answered else ", no answer before"
    return f"{url}  failing since {_moment(known.since, now)} with {known.code}{last}"


def _moment(time: datetime, now: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z ({age(time, now)} ago)"


def _registration(one: Registered, now: datetime) -> Iterator[tuple[str, str]]:
    cluster = one.cluster
    yield "state", _standing(one, now)
    yield "mode", f"{cluster.mode}, every {_duration(cluster.interval)}"
    yield "suspended", ("yes" + (f": {one.reason}" if one.reason else "")) if cluster.suspend else "no"
    servers = [_server(url, one, now) for url in cluster.api_servers]
    yield from zip(["API servers", *[""] * len(servers)], servers, strict=False)
    yield "CA", _ca(cluster)
    if cluster.tls_server_name:
        yield "TLS name", cluster.tls_server_name
    yield "credentials", _credentials(cluster.credentials)
    yield "user", cluster.username
    yield "Kubernetes", cluster.kubernetes_version
    yield "labels", labels(cluster.labels) or "-"
    if one.annotations:
        yield "annotations", labels(one.annotations)


def _duration(value: timedelta) -> str:
    """ "1h30m", as the registration would say it."""
    seconds = value.total_seconds()
    if seconds % 1:
        return f"{seconds:g}s"
    hours, rest = divmod(int(seconds), 3600)
    parts = ((hours, "h"), (rest // 60, "m"), (rest % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _ca(cluster: Cluster) -> str:
    if not cluster.ca_bundle:
        return "the trust store of the reconciler's host"
    from cryptography import x509

    held = x509.load_pem_x509_certificates(cluster.ca_bundle.encode())
    ends = min(certificate.not_valid_after_utc for certificate in held)
    return f"{counted(len(held), 'certificate')}, good until {ends:%Y-%m-%d}"


def _credentials(how: Credentials) -> str:
    if how.method == "secretRef":
        return f"Secret {how.secret_namespace}/{how.secret_name} on the primary"
    if how.method == "clientCertificate":
        return f"client certificate {how.cert_file} with key {how.key_file}"
    if how.method == "exec":
        return f"plugin {' '.join(how.argv)}"
    context = f", context {how.context}" if how.context else ""
    return f"{'kubeconfig' if how.method == 'kubeconfig' else 'token file'} {how.path}{context}"


def _state(found: Detail, now: datetime) -> Iterator[tuple[str, str]]:
    state = found.registered.logged
    if state is None:
        yield "log", "none is read here"
    else:
        yield "accepted", found.accepted[:12] or "-"
        yield from _logged(state, now)
    contact = found.registered.contact
    seen = f"{age(contact.seen, now)} ago" if contact.seen else "never from here"
    facts = [seen, f"API server {contact.version}" if contact.version else "", contact.error]
    facts += [counted(contact.failures, "failure") + " in a row"] if contact.failures else []
    yield "contact", ", ".join(fact for fact in facts if fact)


def _logged(state: ClusterState, now: datetime) -> Iterator[tuple[str, str]]:
    last, outcome = state.applied, state.outcome
    applied = f"{last.commit[:12]}, change set {last.sequence}, {age(last.time, now)} ago" if last else "-"
    yield "applied", applied
    if outcome:
        error = f": {outcome.error}" if outcome.error else ""
        yield "last", f"{outcome.result.value} {age(outcome.time, now)} ago, entry {outcome.index}{error}"
    if state.pending:
        yield "open", ", ".join(f"intent {intent.index}" for intent in state.pending)
    if state.drift:
        yield "last drift", f"{counted(state.drift.count, 'object')}, {age(state.drift.time, now)} ago"
    if state.refused:
        refused = state.refused
        yield "refused", f"commit {refused.commit[:12]}, {age(refused.time, now)} ago: {refused.summary}"


def _placed(found: Detail) -> Iterator[tuple[str, str]]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds)
    yield "objects", f"{found.objects}" + (f": {kinds}" if kinds else "")
    yield "documents", str(len(found.placed))
    for one in found.placed[:_MOST]:
        facts = [counted(one.objects, "object")]
        facts += [counted(one.overrides, "override")] if one.overrides else []
        yield "", f"{one.document.subject}  {one.document.source}  {', '.join(facts)}"
    if len(found.placed) > _MOST:
        yield "", f"and {counted(len(found.placed) - _MOST, 'document')} more (--output json has all)"
