"""The whole way on a real API server: observe, plan, sign, apply, record."""

import json
import uuid
from dataclasses import replace
from typing import Any

import orjson
import pytest
from member_world import FAST, SIGNER, World, authorization, finish, results

from reconciler.errors import TrustError
from reconciler.member import errors
from reconciler.member.parent import Parent, read_parent, write_record
from reconciler.model import (
    APPLYSET_ID,
    LABEL_PART_OF,
    MEMBER_NAMESPACE,
    PARENT_NAME,
    ObjectRef,
    ObjectResult,
    Record,
    Recorded,
)
from reconciler.plan import Action, build_plan

pytestmark = pytest.mark.real


async def test_the_first_apply_creates_everything_and_the_second_look_finds_nothing(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"), world.config("b", y="2"))

    plan, report = await world.reconcile(desired)

    assert plan.count(Action.CREATE) == 3
    assert set(results(report).values()) == {ObjectResult.CREATED}
    assert report.error == ""
    assert report.record_written
    seen, again = await world.plan(desired)
    assert again.changes == ()
    assert not again.stale_record
    assert seen.probes == {}
    assert seen.requests == 4  # kube-system, the parent, and a list for each of two kinds


async def test_every_write_has_its_own_audit_id(world: World) -> None:
    _, report = await world.reconcile(world.desired(world.base(), world.config("a", x="1")))

    assert len({outcome.audit_id for outcome in report.outcomes}) == 2


async def test_the_record_says_what_was_written(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))

    await world.reconcile(desired, index=42)

    seen, _ = await world.plan(desired)
    assert seen.record is not None
    assert (seen.record.sequence, seen.record.log_index, seen.record.commit) == (1, 42, "c" * 40)
    live = world.plane.get("configmap", "a", "-n", world.namespace)["metadata"]
    recorded = seen.record.objects[ObjectRef("", "ConfigMap", world.namespace, "a")]
    assert (recorded.uid, recorded.resource_version) == (live["uid"], live["resourceVersion"])
    assert recorded.digest == live["annotations"]["fleetward.io/digest"]


async def test_the_parent_is_an_applyset_that_kubectl_understands(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))

    await world.reconcile(desired)

    parent = world.plane.get("configmap", PARENT_NAME, "-n", MEMBER_NAMESPACE)["metadata"]
    assert parent["labels"]["applyset.kubernetes.io/id"] == APPLYSET_ID
    assert parent["annotations"]["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Namespace"
    assert parent["annotations"]["applyset.kubernetes.io/additional-namespaces"] == world.namespace
    assert parent["annotations"]["applyset.kubernetes.io/tooling"].startswith("fleetward/v")
    found = world.plane.get("configmap", "-A", "-l", f"{LABEL_PART_OF}={APPLYSET_ID}")
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]


async def test_a_field_changed_by_hand_is_found_and_repaired(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))
    await world.reconcile(desired)
    patch = json.dumps({"data": {"x": "by hand"}})
    world.plane.must("patch", "configmap", "a", "-n", world.namespace, "-p", patch)

    plan, report = await world.reconcile(desired)

    (change,) = plan.changes
    assert (change.action, change.drift) == (Action.UPDATE, True)
    assert results(report) == {"ConfigMap/a": ObjectResult.UPDATED}
    assert world.plane.get("configmap", "a", "-n", world.namespace)["data"] == {"x": "1"}


async def test_an_object_deleted_by_hand_comes_back(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))
    await world.reconcile(desired)
    world.plane.must("delete", "configmap", "a", "-n", world.namespace)

    plan, report = await world.reconcile(desired)

    assert [(c.action, c.drift) for c in plan.changes] == [(Action.CREATE, True)]
    assert results(report) == {"ConfigMap/a": ObjectResult.CREATED}


async def test_an_object_whose_label_was_taken_off_is_still_ours(world: World) -> None:
    both = world.desired(world.base(), world.config("a", x="1"), world.config("b", x="1"))
    await world.reconcile(both)
    for name in ("a", "b"):
        world.plane.must("label", "configmap", name, "-n", world.namespace, f"{LABEL_PART_OF}-")

    plan, _ = await world.reconcile(world.desired(world.base(), world.config("a", x="1")))

    assert {(c.ref.name, c.action) for c in plan.changes} == {("a", Action.UPDATE), ("b", Action.DELETE)}
    left = world.plane.get("configmap", "-n", world.namespace, "-l", f"{LABEL_PART_OF}={APPLYSET_ID}")
    assert [item["metadata"]["name"] for item in left["items"]] == ["a"]


async def test_what_is_no_longer_desired_is_deleted_and_the_parent_forgets_it(world: World) -> None:
    await world.reconcile(world.desired(world.base(), world.config("a", x="1")))

    _, report = await world.reconcile(world.desired(world.base()))

    assert results(report) == {"ConfigMap/a": ObjectResult.DELETED}
    parent = world.plane.get("configmap", PARENT_NAME, "-n", MEMBER_NAMESPACE)["metadata"]
    assert parent["annotations"]["applyset.kubernetes.io/contains-group-kinds"] == "Namespace"


async def test_a_new_value_of_others_needs_no_write_and_refreshes_the_record(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))
    await world.reconcile(desired)
    world.plane.must("annotate", "configmap", "a", "-n", world.namespace, "team=blue")

    async with world.member() as member:
        seen = await member.observe(desired)
        plan = build_plan(desired, seen)
        assert (plan.changes, plan.stale_record, len(seen.probes)) == ((), True, 1)
        assert await member.refresh_record(desired, seen) == 1

    again, after = await world.plan(desired)
    assert again.probes == {}
    assert not after.stale_record
    assert (
        world.plane.get("configmap", "a", "-n", world.namespace)["metadata"]["annotations"]["team"] == "blue"
    )


async def test_a_deep_look_probes_everything(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))
    await world.reconcile(desired)

    seen, plan = await world.plan(desired, deep=True)

    assert len(seen.probes) == 2
    assert plan.changes == ()


async def test_what_is_being_deleted_already_is_not_deleted_again(world: World) -> None:
    held = world.config("held", x="1")
    held["metadata"]["finalizers"] = ["example.org/hold"]
    await world.reconcile(world.desired(world.base(), world.config("a", x="1"), held))
    desired = world.desired(world.base(), world.config("a", x="1"))
    plan, _ = await world.reconcile(desired)
    assert [c.action for c in plan.changes] == [Action.DELETE]

    _, again = await world.plan(desired)

    assert again.changes == ()
    release = json.dumps({"metadata": {"finalizers": None}})
    world.plane.must("patch", "configmap", "held", "-n", world.namespace, "-p", release)


def _theirs(world: World, value: str) -> dict[str, Any]:
    return world.config("shared", x=value)


async def test_a_field_of_another_manager_is_a_conflict_that_names_it(world: World) -> None:
    world.plane.must("create", "namespace", world.namespace)
    world.plane.must(
        "apply", "--server-side", "--field-manager=other", "-f", "-", given=_theirs(world, "theirs")
    )

    _, plan = await world.plan(world.desired(_theirs(world, "ours")))

    (change,) = plan.changes
    assert change.action is Action.CONFLICT
    assert "other" in change.detail
    assert ".data.x" in change.detail


async def test_an_object_that_is_not_ours_is_never_drift(world: World) -> None:
    world.plane.must("create", "namespace", world.namespace)
    world.plane.must("create", "-f", "-", given=_theirs(world, "theirs"))  # an Update by kubectl-create

    _, plan = await world.plan(world.desired(_theirs(world, "ours")))

    assert [c.action for c in plan.changes] == [Action.CONFLICT]


async def test_conflict_take_takes_the_field(world: World) -> None:
    world.plane.must("create", "namespace", world.namespace)
    world.plane.must(
        "apply", "--server-side", "--field-manager=other", "-f", "-", given=_theirs(world, "theirs")
    )

    plan, report = await world.reconcile(world.desired(_theirs(world, "ours"), take=True))

    assert [c.action for c in plan.changes] == [Action.UPDATE]
    assert results(report) == {"ConfigMap/shared": ObjectResult.UPDATED}
    assert world.plane.get("configmap", "shared", "-n", world.namespace)["data"] == {"x": "ours"}


async def test_another_applier_on_our_object_is_a_conflict_and_not_drift(world: World) -> None:
    desired = world.desired(world.base(), _theirs(world, "ours"))
    await world.reconcile(desired)
    force = ("apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-")
    world.plane.must(*force, given=_theirs(world, "theirs"))

    _, plan = await world.plan(desired)

    assert [c.action for c in plan.changes] == [Action.CONFLICT]


def _deployment(world: World) -> dict[str, Any]:
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": world.namespace},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod},
    }


async def test_kubectl_scale_is_drift_and_an_autoscaler_is_a_conflict(world: World) -> None:
    desired = world.desired(world.base(), _deployment(world))
    await world.reconcile(desired)
    world.plane.must("scale", "deployment", "web", "-n", world.namespace, "--replicas=3")
    plan, _ = await world.reconcile(desired)
    assert [(c.action, c.drift) for c in plan.changes] == [(Action.UPDATE, True)]

    scale = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/web/scale"
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web", "namespace": world.namespace},
        "spec": {"replicas": 5},
    }
    world.plane.must("replace", "--raw", f"{scale}?fieldManager=autoscaler", "-f", "-", given=body)
    _, plan = await world.plan(desired)
    (change,) = plan.changes
    assert change.action is Action.CONFLICT
    assert "autoscaler (Update of scale): .spec.replicas" in change.detail


@pytest.mark.parametrize("count", [1, 20])  # looked up one by one, and by a list
async def test_existing_objects_are_adopted_and_not_created(world: World, count: int) -> None:
    world.plane.must("create", "namespace", world.namespace)
    bodies = [world.config(f"old-{n}", x="1") for n in range(count)]
    world.plane.must("apply", "--server-side", "--field-manager=other", "-f", "-", given=bodies)

    plan, report = await world.reconcile(world.desired(*bodies))

    assert {(c.action, c.reason) for c in plan.changes} == {(Action.UPDATE, "exists, taken over")}
    assert set(results(report).values()) == {ObjectResult.UPDATED}
    _, again = await world.plan(world.desired(*bodies))
    assert again.changes == ()


async def test_endpoints_that_inherit_our_label_are_left_alone(world: World) -> None:
    metadata = {"name": "web", "namespace": world.namespace}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}
    copied = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "labels": {LABEL_PART_OF: APPLYSET_ID}},
    }
    desired = world.desired(world.base(), service, world.config("a", x="1"))
    await world.reconcile(desired)
    world.plane.must("create", "-f", "-", given=copied)

    _, plan = await world.plan(desired)

    assert plan.changes == ()


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}
                        },
                    }
                },
            }
        ],
    },
}


def _widget(world: World, name: str, size: Any = 1) -> dict[str, Any]:
    metadata = {"name": name, "namespace": world.namespace}
    return {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": size}}


async def test_a_definition_its_instances_and_their_namespace_go_in_one_apply_and_back(world: World) -> None:
    desired = world.desired(_widget(world, "one"), CRD, world.base(), _widget(world, "two"))

    _, report = await world.reconcile(desired)

    assert set(results(report).values()) == {ObjectResult.CREATED}
    _, again = await world.plan(desired)
    assert again.changes == ()
    _, gone = await world.reconcile(world.desired(world.base()))
    assert set(results(gone).values()) == {ObjectResult.DELETED}
    assert len(gone.outcomes) == 3


async def test_one_refused_object_fails_alone(world: World) -> None:
    wrong = _widget(world, "wrong", size="large")
    desired = world.desired(world.base(), CRD, _widget(world, "good"), wrong, world.config("a", x="1"))

    _, report = await world.reconcile(desired)

    assert results(report)["Widget/wrong"] is ObjectResult.FAILED
    assert [o.error[:6] for o in report.outcomes if o.error] == ["FW1714"]
    assert sum(result is ObjectResult.CREATED for result in results(report).values()) == 4
    assert report.record_written
    _, again = await world.plan(desired)
    assert [c.ref.name for c in again.changes] == ["wrong"]


async def test_what_needs_a_failed_namespace_is_skipped(world: World) -> None:
    bad = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "Bad_Name"}}
    inside = world.config("a", x="1")
    inside["metadata"]["namespace"] = "Bad_Name"

    _, report = await world.reconcile(world.desired(bad, inside, world.base()))

    assert results(report)["Namespace/Bad_Name"] is ObjectResult.FAILED
    assert all(outcome.audit_id for outcome in report.outcomes if outcome.result is ObjectResult.FAILED)
    assert results(report)["ConfigMap/a"] is ObjectResult.SKIPPED
    assert results(report)[f"Namespace/{world.namespace}"] is ObjectResult.CREATED


async def test_nothing_is_written_over_what_moved_since_the_plan(world: World) -> None:
    await world.reconcile(world.desired(world.base(), world.config("a", x="1"), world.config("b", x="1")))
    desired = world.desired(world.base(), world.config("a", x="2"))
    async with world.member() as member:
        seen = await member.observe(desired)
        plan = build_plan(desired, seen)
        for name in ("a", "b"):
            patch = json.dumps(
                {"data": {"x": "moved"}, "metadata": {"annotations": {"fleetward.io/digest": "z"}}}
            )
            world.plane.must("patch", "configmap", name, "-n", world.namespace, "-p", patch)
        report = await member.apply(desired, authorization(seen, plan), log_index=1)

    assert set(results(report).values()) == {ObjectResult.FAILED}
    assert all(outcome.error.startswith("FW1724") for outcome in report.outcomes)
    live = world.plane.get("configmap", "-n", world.namespace, "a", "b")["items"]
    assert {item["data"]["x"] for item in live} == {"moved"}
    again, _ = await world.plan(desired)
    assert again.record is not None
    assert {ref.name for ref in again.record.objects} == {world.namespace, "a", "b"}  # both stay ours


async def test_a_status_that_moved_is_no_reason_to_fail(world: World) -> None:
    before = world.config("a", x="1")
    await world.reconcile(world.desired(world.base(), before))
    desired = world.desired(world.base(), world.config("a", x="2"))
    async with world.member() as member:
        seen = await member.observe(desired)
        plan = build_plan(desired, seen)
        # Only managedFields change: another applier co-owns the same value.
        world.plane.must("apply", "--server-side", "--field-manager=co", "-f", "-", given=before)
        report = await member.apply(desired, authorization(seen, plan), log_index=1)

    assert results(report) == {"ConfigMap/a": ObjectResult.UPDATED}


async def test_of_two_runs_the_later_is_refused_before_it_writes(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"))
    async with world.member() as first, world.member() as second:
        seen, late = await first.observe(desired), await second.observe(desired)
        await first.apply(desired, authorization(seen, build_plan(desired, seen)), log_index=1)
        with pytest.raises(errors.MovedError):
            await second.apply(desired, authorization(late, build_plan(desired, late)), log_index=2)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"cluster_uid": "another"}, errors.WrongClusterError),
        ({"desired_digest": "sha256:" + "2" * 64}, errors.NotAuthorizedError),
        ({"sequence": 0}, TrustError),
    ],
)
async def test_apply_refuses_a_change_set_that_is_for_something_else(
    world: World, changed: dict[str, Any], error: type[Exception]
) -> None:
    desired = world.desired(world.base())
    async with world.member() as member:
        seen = await member.observe(desired)
        with pytest.raises(error):
            await member.apply(
                desired, authorization(seen, build_plan(desired, seen), **changed), log_index=1
            )
    assert world.plane.kubectl("get", "namespace", world.namespace).returncode != 0


async def test_apply_refuses_bytes_that_are_not_the_signed_ones(world: World) -> None:
    desired = world.desired(world.base())
    async with world.member() as member:
        seen = await member.observe(desired)
        signed = authorization(seen, build_plan(desired, seen))
        (item,) = desired.objects
        body = orjson.loads(item.body)
        body["metadata"]["labels"]["slipped"] = "in"
        forged = type(item)(item.ref, item.version, item.digest, orjson.dumps(body), item.source)
        with pytest.raises(errors.NotAuthorizedError):
            await member.apply(type(desired)(desired.cluster, (forged,), desired.digest), signed, log_index=1)


async def test_a_run_killed_between_the_objects_and_the_record_is_finished_by_the_next(world: World) -> None:
    desired = world.desired(world.base(), world.config("a", x="1"), world.config("b", x="1"))
    await world.reconcile(world.desired(world.base()))
    # What a killed run leaves: an object written, the record still the old one.
    one = finish(world.config("a", x="1"))
    world.plane.must(
        "apply", "--server-side", "--field-manager=fleetward", "-f", "-", given=json.loads(one.body)
    )

    plan, report = await world.reconcile(desired)

    assert [c.ref.name for c in plan.changes] == ["b"]
    assert report.error == ""
    seen, again = await world.plan(desired)
    assert (again.changes, again.stale_record, seen.probes) == ((), False, {})


async def test_a_record_that_was_altered_or_signed_by_another_is_refused(world: World) -> None:
    desired = world.desired(world.base())
    await world.reconcile(desired)
    other = type(SIGNER).from_seed(b"o" * 32)
    async with world.member(public_keys=[other.public_key]) as member:
        with pytest.raises(errors.RecordError, match=r"no .* key"):
            await member.observe(desired)
    patch = json.dumps({"binaryData": {"body": "AAAA"}})
    world.plane.must("patch", "configmap", PARENT_NAME, "-n", MEMBER_NAMESPACE, "-p", patch)
    with pytest.raises(errors.RecordError, match="not the signed ones"):
        await world.plan(desired)


async def test_a_missing_right_is_named(world: World) -> None:
    metadata = {"name": "q", "namespace": world.namespace}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata,
        "spec": {"hard": {"pods": "1"}},
    }

    with pytest.raises(errors.ForbiddenError, match='cannot list resource "resourcequotas"'):
        await world.plan(world.desired(quota))


async def test_the_credentials_must_be_the_registered_user(world: World) -> None:
    account = ("create", "token", "default", "-n", "default")
    token = world.plane.must(*account).strip()
    async with world.member(token) as member:
        with pytest.raises(errors.IdentityError, match="system:serviceaccount:default:default"):
            await member.identify()
    async with world.member() as member:
        assert (await member.identify()).version.startswith("v1.")


async def test_health_of_what_has_a_status(world: World) -> None:
    desired = world.desired(world.base(), _deployment(world))

    await world.reconcile(desired)

    async with world.member(limits=FAST) as member:
        health = {ref.kind: found.state.value for ref, found in (await member.health(desired)).items()}
    assert health == {"Deployment": "in progress", "Namespace": "current"}


async def test_a_record_of_several_parts_is_written_read_and_cleaned_up(world: World) -> None:
    refs = [ObjectRef("", "ConfigMap", f"ns-{n % 9}", f"c-{n}") for n in range(40_000)]
    objects = {
        ref: Recorded("sha256:" + f"{n:064x}", str(uuid.UUID(int=n * 2**64)), str(n))
        for n, ref in enumerate(refs)
    }
    large = Record("uid", "c" * 40, "sha256:" + "1" * 64, "sha256:" + "2" * 64, 1, 1, objects)
    small = replace(large, objects={refs[0]: objects[refs[0]]}, sequence=2)
    parts = ("configmap", "-n", MEMBER_NAMESPACE, "-l", "fleetward.io/record=part")
    async with world.transport() as transport:
        parent = await write_record(transport, Parent(), large, [], SIGNER)
        assert len(world.plane.get(*parts)["items"]) == 2
        assert (await read_parent(transport, [SIGNER.public_key])).record == large
        await write_record(transport, parent, small, [], SIGNER)
        assert world.plane.get(*parts)["items"] == []
        assert (await read_parent(transport, [SIGNER.public_key])).record == small
