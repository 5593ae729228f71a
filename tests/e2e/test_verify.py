"""From a live member back to the signatures, as an auditor does it: to read, with public keys alone."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_world import GUARDS, MAPS, RECORDS, ROLES, Fleet, Plane, manifest, until

from reconciler.model import APPLYSET_ID, LABEL_PART_OF

pytestmark = pytest.mark.real
ACCOUNT = "auditor"
# The role that the page gives: what verify needs, and not a verb more.
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "verify.md").read_text(encoding="utf-8")
AUDITOR_RULES = yaml.safe_load(PAGE.partition("```yaml\n")[2].partition("```")[0])["rules"]


@pytest.fixture
def applied(fleet: Fleet) -> Fleet:
    """Two commits, both applied."""
    fleet.start(manifest("extra", number="1"))
    assert fleet.reconcile().converged
    fleet.commit(manifest("settings", colour="green"))
    assert fleet.reconcile().converged
    return fleet


@pytest.fixture
def auditor(applied: Fleet, a: Plane, tmp_path: Path) -> Iterator[Fleet]:
    """Another machine: no private key, no log of its own, an account that may only read."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": AUDITOR_RULES}
    a.apply(f"{ROLES}/{ACCOUNT}", {**role, "metadata": {"name": ACCOUNT}})
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": ACCOUNT}],
    }
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    a.apply(f"{bindings}/{ACCOUNT}", binding)
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    a.apply(f"{accounts}/{ACCOUNT}", account)
    token = a.token(ACCOUNT, "default")
    shared, machine = tmp_path / "auditor", tmp_path / "auditor-machine"
    (shared / "credentials").mkdir(parents=True)
    kubeconfig = yaml.safe_load((applied.shared / "credentials" / "member-a.kubeconfig").read_text())
    kubeconfig["users"][0]["user"] = {"token": token}
    (shared / "credentials" / "member-a.kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    (machine / "state").mkdir(parents=True)
    shutil.copy(applied.settings.state / "reconciler.pub", machine / "state" / "reconciler.pub")
    shutil.copytree(applied.log_folder, machine / "log")
    yield replace(applied, shared=shared, machine=machine, log=str(machine / "log"))
    for path in (f"{bindings}/{ACCOUNT}", f"{ROLES}/{ACCOUNT}", f"{accounts}/{ACCOUNT}"):
        a.send("DELETE", path)


def verified(fleet: Fleet, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON of ``fleetward verify``, which has to end with this exit code."""
    done = fleet.run("verify", "--cluster", "member-a", "-o", "json", "-q", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def codes(answer: dict[str, Any]) -> list[str]:
    return sorted(finding["code"] for finding in answer["findings"])


def names(answer: dict[str, Any]) -> set[str]:
    return {item["object"]["name"] for item in answer["objects"]}


def git_says(fleet: Fleet, commit: str) -> str:
    """The signer's fingerprint by git and ssh-keygen themselves."""
    allowed = fleet.repo.root / "allowed"
    allowed.write_text(f"alice {fleet.repo.person('alice').public_key}\n")
    command = ["git", "-c", f"gpg.ssh.allowedSignersFile={allowed}", "log", "-1", "--format=%GF", commit]
    done = subprocess.run(command, cwd=fleet.repo.path, env=fleet.repo.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_everything_is_explained_to_an_auditor_who_may_only_read(auditor: Fleet, a: Plane) -> None:
    before = a.versions()
    assert not (auditor.settings.state / "reconciler.key").exists()
    for options in ((), ("--deep",)):
        answer = verified(auditor, *options)
        assert answer["ok"]
        assert answer["findings"] == []
        guard = {"fleetward-guard", "fleetward-guard-record"}
        assert names(answer) == {"settings", "extra", "viewer"} | guard
        newest, first = answer["changeSets"]
        assert (newest["sequence"], first["sequence"], newest["previous"]) == (2, 1, first["digest"])
        of = {item["object"]["name"]: item["changeSet"] for item in answer["objects"]}
        assert of["settings"] == newest["digest"]
        assert {of["extra"], of["viewer"], of["fleetward-guard"]} == {first["digest"]}
        head = auditor.repo.head()
        assert newest["commit"]["id"] == head
        (signed,) = newest["commit"]["signed"]
        assert (signed["commit"], signed["signer"]) == (head, "alice")
        assert signed["fingerprint"] == git_says(auditor, head)
        assert newest["gate"]["allowed"]
        assert newest["gate"]["rules"] > 0
        assert newest["outcome"]["result"] == "applied"
        assert newest["intent"]["inclusion"]["size"] == answer["log"]["size"] == len(auditor.entries())
    compared = {item["compared"] for item in verified(auditor, "--deep")["objects"]}
    assert compared == {"content"}
    assert "version" in {item["compared"] for item in verified(auditor)["objects"]}
    changed = {key for key, version in a.versions().items() if before.get(key) != version}
    assert not {key for key in changed if "fleetward-guard" not in key}, (
        "whose status the control plane writes"
    )
    # The account really may not write: the reconciler's own way of looking is refused.
    assert "cannot patch" in auditor.run("plan", "--cluster", "member-a", "--deep").stdout


def test_one_object_is_shown_step_by_step(auditor: Fleet) -> None:
    done = auditor.run("verify", "-c", "member-a", "-q", "--object", "ConfigMap/default/settings")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    steps = ["change set 2", "signed ", "commit ", "signer ", "alice SHA256:", "gate ", "log ", "settings"]
    places = [said.index(step, said.index("\n\n")) for step in steps]
    assert places == sorted(places), said
    assert "every applied field compared" in said
    assert "extra" not in said
    assert "\x1b" not in said, "no colours in a pipe"
    # A kind is found by what the member has; its full name does as well.
    for name in ("ClusterRole/viewer", "ClusterRole.rbac.authorization.k8s.io/viewer"):
        assert names(verified(auditor, "--object", name)) == {"viewer"}
    assert codes(verified(auditor, "--object", "ConfigMap/default/none", code=1)) == ["FW1270"]
    assert auditor.run("verify", "-c", "member-a", "--object", "ConfigMap").returncode == 2


def test_what_was_changed_by_hand_is_named_with_its_fields(applied: Fleet, a: Plane) -> None:
    a.unguard()
    a.by_hand("PATCH", f"{MAPS}/settings", {"data": {"colour": "red"}})
    a.by_hand("PATCH", f"{MAPS}/extra", {"data": {"hidden": "x"}})
    rule = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    a.by_hand("PATCH", f"{ROLES}/viewer", rule)
    answer = verified(applied, code=1)
    found = {finding["subject"].rpartition("/")[2]: finding for finding in answer["findings"]}
    assert '.data.colour is "red"' in found["settings"]["got"]
    assert ".data.hidden was written by" in found["extra"]["got"], "beside what was applied"
    assert ".rules" in next(f["got"] for f in answer["findings"] if "viewer" in f["subject"])
    # Unguarding deleted both bindings of the guard: the record misses them.
    assert codes(answer) == ["FW1273"] * 3 + ["FW1279"] * 2
    assert names(answer) == {"fleetward-guard"}
    assert applied.reconcile().converged
    # The field beside stays: the record was written over it, so that only the contents tell.
    assert verified(applied)["ok"]
    (left,) = verified(applied, "--deep", code=1)["findings"]
    assert (left["code"], left["subject"]) == ("FW1273", "member-a/ConfigMap default/extra")


def test_a_digest_annotation_proves_nothing(applied: Fleet, a: Plane) -> None:
    """The object is made anew, with the very digest that the record has, and another content."""
    a.unguard()
    old = a.get(f"{MAPS}/settings")
    a.by_hand("DELETE", f"{MAPS}/settings")
    kept = {key: old["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    fake = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": {"colour": "red"}}
    a.apply(f"{MAPS}/settings", fake, manager="fleetward")
    answer = verified(applied, "--object", "ConfigMap/default/settings", code=1)
    (finding,) = answer["findings"]
    assert finding["code"] == "FW1273"
    assert "made anew" in finding["got"]
    assert '.data.colour is "red"' in finding["got"]


def test_what_nobody_signed_is_listed(applied: Fleet, a: Plane) -> None:
    a.unguard()
    labelled = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"}}
    managed = {"name": "managed", "labels": {"app.kubernetes.io/managed-by": "fleetward"}}
    part = {"name": "evil", "labels": {LABEL_PART_OF: APPLYSET_ID}}
    a.by_hand("POST", MAPS, {**labelled, "metadata": part}, "application/json")
    a.by_hand("POST", MAPS, {**labelled, "metadata": managed}, "application/json")
    try:
        answer = verified(applied, code=1)
        subjects = {f["subject"] for f in answer["findings"] if f["code"] == "FW1270"}
        assert subjects == {f"member-a/ConfigMap default/{name}" for name in ("evil", "managed")}
        assert codes(verified(applied, "--object", "ConfigMap/default/evil", code=1)) == ["FW1270"]
    finally:
        a.send("DELETE", f"{MAPS}/managed")


def test_an_object_that_a_change_set_deleted_does_not_come_back(applied: Fleet, a: Plane) -> None:
    old = a.get(f"{MAPS}/extra")
    applied.commit({"policies/manifests/extra.yaml": None})
    assert applied.reconcile().converged
    a.unguard()
    kept = {key: old["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    again = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": old["data"]}
    a.by_hand("POST", MAPS, again, "application/json")
    found = [f for f in verified(applied, code=1)["findings"] if f["code"] == "FW1270"]
    assert [f["subject"] for f in found] == ["member-a/ConfigMap default/extra"]
    assert "deleted it" in found[0]["got"]


def test_a_record_that_was_altered_is_refused(applied: Fleet, a: Plane) -> None:
    a.unguard()
    record = a.get(f"{RECORDS}/fleetward")["binaryData"]["record"]
    envelope = json.loads(base64.b64decode(record))
    head = json.loads(base64.b64decode(envelope["payload"]))
    head["sequence"] += 1
    envelope["payload"] = base64.b64encode(json.dumps(head, sort_keys=True).encode()).decode()
    text = json.dumps(envelope, sort_keys=True, separators=(",", ":"))
    forged = base64.b64encode(text.encode()).decode()
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": {"record": forged}})
    assert verified(applied, code=2)["error"]["code"] == "FW1720"
    a.by_hand("DELETE", f"{RECORDS}/fleetward")
    assert verified(applied, code=2)["error"]["code"] == "FW1271"


def test_an_old_record_is_told_from_the_newest(applied: Fleet, a: Plane) -> None:
    old = a.get(f"{RECORDS}/fleetward")["binaryData"]
    applied.commit(manifest("settings", colour="red"))
    assert applied.reconcile().converged
    a.unguard()
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": old})
    answer = verified(applied, code=1)
    assert "FW1272" in codes(answer)
    settings = next(item for item in answer["objects"] if item["object"]["name"] == "settings")
    assert not settings["recorded"], "explained by the change set that the old record does not know"


def test_a_record_of_another_cluster_is_refused(applied: Fleet, a: Plane, b: Plane) -> None:
    a.unguard()
    other = b.get(f"{RECORDS}/fleetward")["binaryData"]
    a.by_hand("PATCH", f"{RECORDS}/fleetward", {"binaryData": other})
    assert verified(applied, code=2)["error"]["code"] == "FW1721"


def test_a_log_that_lacks_what_the_record_proves_is_refused(fleet: Fleet, a: Plane, tmp_path: Path) -> None:
    fleet.start()
    assert fleet.reconcile().converged
    shutil.copytree(fleet.log_folder, tmp_path / "old")
    fleet.commit(manifest("settings", colour="green"))
    assert fleet.reconcile().converged
    (fleet.machine / "other-state").mkdir()
    assert (
        verified(
            replace(fleet, log=str(tmp_path / "old")), "--state", str(fleet.machine / "other-state"), code=2
        )["error"]["code"]
        == "FW1001"
    ), "and a key is needed"
    key = fleet.settings.state / "reconciler.pub"
    shutil.copy(key, fleet.machine / "other-state" / "reconciler.pub")
    old = verified(
        replace(fleet, log=str(tmp_path / "old")), "--state", str(fleet.machine / "other-state"), code=2
    )
    assert old["error"]["code"] == "FW1810"


def test_a_change_set_that_the_log_lost_explains_nothing(auditor: Fleet) -> None:
    first = verified(auditor)["changeSets"][1]["digest"].removeprefix("sha256:")
    (auditor.log_folder / "bodies" / "sha256" / first[:2] / first[2:]).unlink()
    answer = verified(auditor, code=1)
    assert names(answer) == {"settings"}, "the newest change set is whole"
    unexplained = [f for f in answer["findings"] if f["code"] == "FW1270"]
    assert len(unexplained) == 5
    assert len({f["code"] for f in answer["findings"]} - {"FW1270"}) == 1, "and the cause, once"


def test_another_repository_has_not_the_commits(auditor: Fleet, tmp_path: Path) -> None:
    """A repository whose history was rewritten after the fact cannot explain what was applied."""
    other = Fleet.new(tmp_path / "rewritten", auditor.planes, auditor.shared)
    other.start()
    lost = replace(auditor, location=str(other.repo.path))
    assert verified(lost, code=2)["error"]["code"].startswith("FW11")


def test_the_guard_is_compared_too(applied: Fleet, a: Plane) -> None:
    body = a.get(f"{GUARDS}ies/fleetward-guard")
    expression = body["spec"]["validations"][0]["expression"] + " || true"
    body["spec"]["validations"][0]["expression"] = expression
    a.must("PUT", f"{GUARDS}ies/fleetward-guard", body)
    (finding,) = verified(applied, code=1)["findings"]
    assert finding["code"] == "FW1273"
    assert ".spec.validations[0].expression" in finding["got"]


def test_a_member_without_a_reconcile_has_no_record(fleet: Fleet, a: Plane) -> None:
    fleet.start()
    assert verified(fleet, code=2)["error"]["code"] == "FW1271"
    until(lambda: not a.versions(), "nothing to be written")
    assert fleet.run("verify", "-c", "nowhere").returncode == 2
