"""Everything that can be said of a commit without a cluster.

1. snapshot   the files of the commit, from Git objects
2. verify     every commit since ``base``, by the trust root before it: signatures, path rules, root versions
3. load       documents, schemas, references
4. compile    every cluster's desired objects, against Kubernetes' own schemas
5. gate       the product's rules and those of ``base``; the commit's own ones only have to pass their tests

``base`` is the last accepted commit, or the target of a pull request. What a commit changes in its Federation
(signers, limits, gate, allowed programs), in schemas and in gate rules does not judge that commit itself: it
holds from the next commit on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.compile import Compiled, compile_fleet
from reconciler.documents import Cluster, Federation, Fleet, load
from reconciler.errors import SettingsError
from reconciler.gate import GateCompileError, GateEmptyError, Gates, GateTestError, gate_sources
from reconciler.model import ClusterName, Finding, Json, Severity, Snapshot, SourceRef
from reconciler.pipeline.gating import content_input, places
from reconciler.pipeline.judging import Seen, judge_range
from reconciler.pipeline.placing import place_all
from reconciler.pipeline.ports import CheckPorts
from reconciler.repository import UnsafeTreeError
from reconciler.trust import Judgement


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a commit. ``base`` is "" and ``judgement`` None where nothing was to be verified.

    ``fleet.federation`` is the base's, since that is what holds. What is large is not in the repr: asyncio
    takes the repr of what a main task returns (by way of ``signal.signal``), and it took a second.
    """

    commit: str  # "" for a work tree
    tree: str
    base: str
    fleet: Fleet | None = field(repr=False)
    federation_spec: Mapping[str, Json] = field(default_factory=dict)  # the base's, as written
    compiled: Mapping[ClusterName, Compiled] = field(default_factory=dict, repr=False)
    judgement: Judgement | None = None  # of every commit since the base
    gate_digest: str = ""
    rules: int = 0
    findings: tuple[Finding, ...] = ()
    gates: Gates | None = None  # that judged it, for judging the plans too

    @property
    def documents(self) -> int:
        """How many documents were read."""
        return len(self.fleet.documents) if self.fleet else 0

    @property
    def objects(self) -> int:
        """How many objects all clusters together should have."""
        return sum(len(result.desired.objects) for result in self.compiled.values())

    @property
    def signers(self) -> dict[str, str]:
        """Commit -> who signed it."""
        verdicts = self.judgement.verdicts if self.judgement else ()
        return {verdict.commit: verdict.signer.name for verdict in verdicts if verdict.signer}

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop the commit."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def ok(self) -> bool:
        """True when the commit may be planned and applied."""
        return self.fleet is not None and not self.errors

    @property
    def federation(self) -> Federation:
        """The Federation that holds for a commit that is ``ok``: the base's."""
        return self.read_fleet.federation

    @property
    def read_fleet(self) -> Fleet:
        """The fleet of a commit that is ``ok``."""
        assert self.fleet is not None  # noqa: S101  callers look at ``ok`` first
        return self.fleet

    def select(self, names: Collection[str]) -> tuple[Cluster, ...]:
        """The clusters of these names, all for none. Raises SettingsError for a name that is not there."""
        known = {cluster.name: cluster for cluster in self.read_fleet.clusters}
        if missing := sorted(set(names) - known.keys()):
            raise SettingsError(
                "no such cluster", got=", ".join(missing), expected=" or ".join(known) or "a registration"
            )
        return tuple(c for name, c in known.items() if not names or name in names)


def check(ports: CheckPorts, *, rev: str, base: str | None = None, seen: Sequence[Seen] = ()) -> Checked:
    """Check a commit. Without a base it has to be signed by its own signers and is its own judge.

    ``seen`` are heads that the log met before: what they reach was first seen then.

    Raises RepositoryError, GateError; what is wrong with documents and signatures are findings.
    """
    repository = ports.repository
    commit = repository.resolve(rev)
    judge = repository.snapshot(repository.resolve(base)) if base else None
    try:
        snapshot = repository.snapshot(commit)
    except UnsafeTreeError as error:
        return Checked(commit, "", judge.commit if judge else "", None, findings=tuple(error.findings))
    prepared = prepare(ports, snapshot, accepted=judge)
    return _judge(ports, _verify(ports, prepared, seen), snapshot, judge or snapshot)


def check_worktree(ports: CheckPorts) -> Checked:
    """Check the files on disk: everything but signatures."""
    snapshot = ports.repository.worktree()
    return _judge(ports, prepare(ports, snapshot), snapshot, snapshot)


def prepare(ports: CheckPorts, snapshot: Snapshot, *, accepted: Snapshot | None = None) -> Checked:
    """Load and compile, without signatures and gate: enough for what only shows.

    ``accepted`` is the base: its Federation holds, and its schemas have to be passed too.
    """
    loaded = load(snapshot, cache=ports.cache, accepted=accepted)
    fleet = loaded.fleet
    wrong = _witness_findings(fleet) if fleet else ()
    trusted = load(only_federation(accepted)).fleet if accepted else fleet
    if trusted is None and accepted:
        finding = Finding("FW1255", "the base has no federation.yaml that names signers")
        return Checked(snapshot.commit, snapshot.tree, accepted.commit, None, findings=(finding,))
    if fleet and trusted:
        fleet = replace(fleet, federation=trusted.federation)
    compiled = compile_fleet(fleet, cache=ports.cache) if fleet else {}
    findings = [*loaded.findings, *wrong, *(f for result in compiled.values() for f in result.findings)]
    placed = place_all(snapshot, fleet, findings)
    spec = trusted.of_kind("Federation")[0].body["spec"] if trusted else {}
    base = accepted.commit if accepted else ""
    return Checked(snapshot.commit, snapshot.tree, base, fleet, spec, compiled, findings=placed)


def _witness_findings(fleet: Fleet) -> tuple[Finding, ...]:
    root = fleet.federation.root
    if not root.witnesses:
        return ()
    from reconciler.pipeline.witnessing import witness_findings  # loads the log

    return witness_findings(root)


def only_federation(snapshot: Snapshot) -> Snapshot:
    """Whom a commit trusts needs nothing else of it."""
    files = {path: blob for path, blob in snapshot.files.items() if path == "federation.yaml"}
    return replace(snapshot, files=files)


def _verify(ports: CheckPorts, checked: Checked, seen: Sequence[Seen]) -> Checked:
    if checked.fleet is None:
        return checked
    judgement = judge_range(
        ports.repository,
        checked.federation,
        checked.base,
        checked.commit,
        at=ports.clock(),
        seen=seen,
    )
    return replace(checked, judgement=judgement, findings=(*judgement.findings, *checked.findings))


def _judge(ports: CheckPorts, checked: Checked, snapshot: Snapshot, judge: Snapshot) -> Checked:
    if checked.fleet is None:
        return checked
    settings = checked.fleet.federation.gate
    sources = gate_sources(judge)
    new = gate_sources(snapshot)
    unproven = _unproven(ports.open_gates(new, settings)) if new != sources else ()
    gates = ports.open_gates(sources, settings)
    given = content_input(checked.fleet, checked.federation_spec)
    verdict = gates.evaluate(given, now=ports.clock(), places=places(checked.fleet, snapshot))
    return replace(
        checked,
        gate_digest=verdict.gate_digest,
        rules=verdict.rules,
        findings=(*checked.findings, *unproven, *verdict.findings),
        gates=gates,
    )


def _unproven(gates: Gates) -> tuple[Finding, ...]:
    """The commit's own rules do not judge it, but they may only take over when they hold."""
    try:
        gates.test()
    except (GateCompileError, GateTestError, GateEmptyError) as error:
        path, _, line = error.where.rpartition(":")
        source = SourceRef(path, int(line)) if line.isdecimal() else None
        return (Finding(error.code, error.message, source, got=error.got, hint=error.hint),)
    return ()
