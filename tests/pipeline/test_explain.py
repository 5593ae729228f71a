"""Explaining a member without a cluster: real Git, real signatures, a real log; the member is in memory."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleet_files
import pytest
from explain_world import DIGEST, RED, SETTINGS, World

from reconciler.model import DesiredObject
from reconciler.pipeline.explanation import Compared, Explanation
from reconciler.pipeline.verify import NoRecordError
from reconciler.surfaces.formats import explanations
from reconciler.trust.keys import ReconcilerKey


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def codes(found: Explanation) -> list[str]:
    return sorted(finding.code for finding in found.findings)


def test_all_is_explained_by_the_newest_change_sets(world: World) -> None:
    first = world.apply()
    commit = world.accept(RED)
    second = world.apply()
    found = world.verify()
    assert (found.ok, codes(found)) == (True, [])
    assert [link.digest for link in found.links] == [second, first]
    by = {item.ref.name: item for item in found.objects}
    assert (by["settings"].change_set, by["viewer"].change_set) == (second, first)
    assert found.origins[second].commit == commit
    assert [(one.signer, one.commit) for one in found.origins[second].signed] == [("alice", commit)]
    assert found.origins[first].previous == ""
    assert {item.compared for item in found.objects} == {Compared.VERSION}
    assert {item.compiled_from for item in found.objects} == {commit}
    assert by["settings"].audit_id.startswith("audit-")
    assert world.member.fetched == [], "nothing is fetched while versions are as recorded"
    deep = world.verify(deep=True)
    assert {item.compared for item in deep.objects} == {Compared.CONTENT}


def test_the_answer_as_text_and_json(world: World) -> None:
    world.apply()
    world.member.bodies[SETTINGS]["data"]["colour"] = "\x1b[31mred"
    found = world.verify(deep=True)
    said = explanations.text(found)
    assert "FW1273" in said
    assert "not all explained" in said
    assert "\x1b" not in said, "what comes from a member does not reach the terminal as it is"
    value = json.loads(json.dumps(explanations.as_dict(found), default=str))
    assert (value["ok"], len(value["changeSets"]), len(value["findings"])) == (False, 1, 1)
    assert {item["object"]["name"] for item in value["objects"]} == {
        "viewer", "fleetward-guard", "fleetward-guard-record",
    }  # fmt: skip


def test_a_member_without_a_record_is_an_error(world: World) -> None:
    with pytest.raises(NoRecordError):
        world.verify()


def test_an_unfinished_run_explains_what_it_wrote(world: World) -> None:
    world.apply()
    world.accept(RED)
    second = world.apply(record=False)
    found = world.verify()
    settings = next(item for item in found.objects if item.ref == SETTINGS)
    assert (found.ok, settings.change_set, settings.recorded) == (True, second, False)
    # Its digest alone proves nothing: the content is compared with what the later commit says.
    world.member.bodies[SETTINGS]["data"]["colour"] = "black"
    assert codes(world.verify()) == ["FW1273"]
    # And an annotation that no change set gave is held against the record.
    world.member.bodies[SETTINGS]["metadata"]["annotations"]["fleetward.io/digest"] = DIGEST
    (finding,) = world.verify().findings
    assert (finding.code, "change set 1" in finding.message) == ("FW1273", True)


def test_an_older_record_is_a_finding(world: World) -> None:
    world.apply()
    old = world.member.record
    world.accept(RED)
    world.apply()
    world.member.record = old
    assert codes(world.verify()) == ["FW1272"]


def test_what_is_deleted_may_leave_and_not_come_back(world: World) -> None:
    world.apply()
    gone = copy.deepcopy(world.member.bodies[SETTINGS])
    world.accept({"policies/manifests/settings.yaml": None})
    world.apply()
    world.member.bodies[SETTINGS] = gone
    (finding,) = world.verify().findings
    assert (finding.code, finding.got) == ("FW1270", "change set 2 deleted it")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = world.verify()
    assert (found.ok, found.leaving) == (True, (SETTINGS,))


def test_missing_and_remade_objects_are_findings(world: World) -> None:
    world.apply()
    body = world.member.bodies.pop(SETTINGS)
    assert codes(world.verify()) == ["FW1279"]
    world.member.bodies[SETTINGS] = body
    body["metadata"]["uid"] = "another"
    (finding,) = world.verify().findings
    assert (finding.code, "made anew" in finding.got) == ("FW1273", True)
    assert world.verify("ConfigMap/default/settings").findings == (finding,)


def explain_first(world: World) -> tuple[list[str], str]:
    """The codes, and the cause's text."""
    found = world.verify()
    causes = [f for f in found.findings if f.code != "FW1270"]
    assert found.objects == ()
    assert len(causes) == 1, found.findings
    assert len(found.findings) == 1 + 5, "five objects rest on it"
    return codes(found), causes[0].code


@pytest.mark.parametrize(
    "said",
    [{"cluster_uid": "other"}, {"cluster": "member-b"}, {"repository": "https://x"}, {"ref": "refs/x"}],
)
def test_a_change_set_for_another_member_explains_nothing(world: World, said: dict[str, str]) -> None:
    world.apply(**said)
    assert explain_first(world)[1] == "FW1275"


def test_a_change_set_that_another_key_signed_explains_nothing(world: World) -> None:
    world.apply(signer=ReconcilerKey.from_seed(b"y" * 32))
    assert explain_first(world)[1] == "FW1231"


def test_a_change_set_that_was_never_logged_explains_nothing(world: World) -> None:
    world.previous, world.sequence = "sha256:" + "b" * 64, 1
    world.apply()
    record = world.member.record
    assert record
    assert world.verify().ok, "nothing rests on its predecessor"
    evil = replace(record.objects[SETTINGS], digest=DIGEST)
    world.member.record = replace(record, objects={**record.objects, SETTINGS: evil})
    assert codes(world.verify()) == ["FW1270", "FW1274"]


def test_a_change_set_of_a_commit_that_was_not_accepted_last(world: World) -> None:
    first = world.accepted
    world.accept(RED)
    world.apply(first)
    assert explain_first(world)[1] == "FW1276"


@pytest.mark.parametrize("how", [{"sign": False}, {"by": "mallory"}])
def test_an_accepted_commit_without_a_signers_signature(world: World, how: dict[str, Any]) -> None:
    """The log says accepted; Git says otherwise."""
    world.repo.person("mallory")
    world.accept(RED, **how)
    world.apply()
    assert explain_first(world)[1] == "FW1277"


def test_a_change_set_of_another_tree(world: World) -> None:
    world.apply(tree="f" * 40)
    assert explain_first(world)[1] == "FW1277"


def test_a_change_set_that_says_what_no_commit_says(world: World) -> None:
    """The reconciler's key in other hands: a good signature over content that Git does not have."""

    def edit(item: DesiredObject) -> DesiredObject:
        return replace(item, digest=DIGEST) if item.ref == SETTINGS else item

    world.apply(edit=edit)
    assert codes(world.verify()) == ["FW1278"]


def test_many_objects_cost_one_compile(world: World) -> None:
    maps = "---\n".join(fleet_files.config_map(f"many-{n}", number=str(n)) for n in range(2000))
    world.accept({"policies/manifests/many.yaml": maps})
    world.apply()
    last = world.accept(RED)
    world.apply()
    found = world.verify(deep=True)
    assert (found.ok, len(found.objects)) == (True, 2005)
    assert {item.compiled_from for item in found.objects} == {last}
    assert len(explanations.text(found)) < 20_000, "the text does not name them all"
