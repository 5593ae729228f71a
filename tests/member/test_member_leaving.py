"""Releasing and looking for others' objects, as far as no server is needed."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.member.leaving import guard_names
from reconciler.member.occupants import is_foreign
from reconciler.member.releasing import release_patch
from reconciler.member.revoking import bootstrapped, others, own_roles
from reconciler.model import APPLYSET_ID, LABEL_MANAGED_BY, LABEL_PART_OF, ObjectRef

OURS = {LABEL_PART_OF: APPLYSET_ID, LABEL_MANAGED_BY: "fleetward"}
VERSION = {"uid": "u", "resourceVersion": "7"}
keys = st.sampled_from([*OURS, "app", "fleetward.io/digest", "fleetward.io/source", "owner"])
texts = st.dictionaries(keys, st.sampled_from(["fleetward", APPLYSET_ID, "x"]))
managers = st.lists(st.sampled_from(["fleetward", "kubectl", "controller"]), max_size=3)


def patched(metadata, patch):
    """As a JSON merge patch (RFC 7386) does it."""
    change = patch["metadata"] if patch else {}
    after = dict(metadata)
    for part in ("labels", "annotations"):
        merged = {**metadata.get(part, {}), **change.get(part, {})}
        after[part] = {key: value for key, value in merged.items() if value is not None}
    after["managedFields"] = change.get("managedFields", metadata.get("managedFields", []))
    return after


@given(texts, texts, managers)
def test_a_release_takes_off_what_is_ours_and_nothing_else(labels, annotations, fields):
    metadata = VERSION | {
        "labels": labels, "annotations": annotations, "managedFields": [{"manager": one} for one in fields],
    }  # fmt: skip
    after = patched(metadata, release_patch(metadata))
    assert after["labels"] == {k: v for k, v in labels.items() if OURS.get(k) != v}
    assert after["annotations"] == {k: v for k, v in annotations.items() if not k.startswith("fleetward.io/")}
    left = [entry for entry in after["managedFields"] if entry]
    assert left == [{"manager": one} for one in fields if one != "fleetward"]
    assert release_patch(after) is None, "a second release has nothing to do"


def test_a_release_is_of_the_version_that_was_read():
    patch = release_patch({**VERSION, "labels": OURS})
    assert patch
    assert {"uid", "resourceVersion"} <= patch["metadata"].keys()


def test_whose_objects_count_as_others():
    own = ObjectRef("", "Secret", "shop", "key")
    assert is_foreign(own, {})
    assert not is_foreign(own, {"ownerReferences": [{"name": "x"}]})
    assert not is_foreign(own, {"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert not is_foreign(ObjectRef("", "ServiceAccount", "shop", "default"), {})
    assert is_foreign(ObjectRef("", "ServiceAccount", "shop", "other"), {})


def test_all_of_the_bootstrap_is_known_for_the_way_back():
    roles = {ref.name for ref in bootstrapped() if ref.kind.startswith("Cluster")}
    named = {name.partition("/")[2] for _, name in (*own_roles(), *others())}
    assert named == roles
    assert [name for _, name in own_roles()] == [
        "clusterrolebinding/federation-reconciler", "clusterrole/federation-reconciler",
    ]  # fmt: skip
    assert {ref.name for ref in guard_names()} == {"fleetward-guard", "fleetward-guard-record"}
