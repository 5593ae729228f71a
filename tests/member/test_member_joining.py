"""Both sides of a join, without a cluster: addresses, administrators' kubeconfigs, pins."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_values import altered

from reconciler.errors import MemberError
from reconciler.member.addresses import AddressRefusedError, address_problem, allowed_address
from reconciler.member.administrator import CREDENTIAL_ID, Caller, administrator, own_identity
from reconciler.member.bootstrap import needed_rights
from reconciler.member.callback import supported
from reconciler.member.primary import EndpointError, RefusedError, pinned_context, post_join
from reconciler.member.rights import Right
from reconciler.pki import pin_of
from reconciler.surfaces.membership import administrator_of
from reconciler.trust.pinned import issue_leaf, new_authority, parse_authority


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("10.1.2.3", ""), ("192.168.0.1", ""), ("203.0.113.10", ""), ("2001:db8::1", ""), ("fd00::7", ""),
        ("169.254.169.254", "link-local"), ("169.254.0.1", "link-local"), ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"), ("2001:db8::1%eth0", "link-local"),
        ("0.0.0.0", "unspecified"),  # noqa: S104
        ("0.1.2.3", "unspecified"), ("::", "unspecified"),
        ("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"),
        ("224.0.0.1", "multicast"), ("ff02::1", "multicast"), ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("fd00:ec2::254", "a metadata service"), ("100.100.100.200", "a metadata service"),
        ("::ffff:169.254.169.254", "link-local"), ("::ffff:127.0.0.1", "loopback"), ("::ffff:10.0.0.1", ""),
        ("64:ff9b::169.254.169.254", "link-local"), ("64:ff9b::10.0.0.1", ""),
        ("2001:0:a9fe:a9fe::5601:5601", "link-local"), ("2001:0:c000:201::5601:5601", "link-local"),
        ("2001:db8::5efe:169.254.169.254", "link-local"), ("2001:db8::200:5efe:a9fe:a9fe", "link-local"),
        ("2001:db8::5efe:10.0.0.1", ""), ("2001:db8::300:5efe:a9fe:a9fe", ""),
        ("2002:a9fe:a9fe::1", "link-local"), ("localhost", "not an address"), ("", "not an address"),
    ],
)  # fmt: skip
def test_which_addresses_are_connected_to(address: str, problem: str):
    assert address_problem(address) == problem


def test_loopback_on_purpose():
    assert [address_problem(one, loopback=True) for one in ("127.0.0.1", "::1", "169.254.0.1")] == [
        "", "", "link-local",
    ]  # fmt: skip


def test_one_bad_address_of_a_name_is_enough():
    async def both(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1", "169.254.169.254"]

    async def good(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1", "10.0.0.2"]

    with pytest.raises(AddressRefusedError, match="FW1749"):
        asyncio.run(allowed_address("api.example", 443, resolver=both))
    assert asyncio.run(allowed_address("api.example", 443, resolver=good)) == "10.0.0.1"
    with pytest.raises(AddressRefusedError, match="does not resolve"):
        asyncio.run(allowed_address("no-such-host.invalid", 443))


@given(st.text(max_size=40) | st.ip_addresses().map(str))
def test_any_text_has_an_answer(text: str):
    assert isinstance(address_problem(text), str)


ACCOUNTS = ("system:serviceaccounts", "system:authenticated", "system:masters")


@pytest.mark.parametrize(
    ("caller", "certificate_only", "own"),
    [
        (Caller("system:serviceaccount:ops:x", (*ACCOUNTS, "system:serviceaccounts:ops"), {}), False, True),
        (Caller("system:serviceaccount:ops:x", (), {}), False, False),
        (Caller("system:serviceaccount:ops:x", ACCOUNTS, {}), False, False),
        (Caller("system:serviceaccount:ops:x", ("system:serviceaccounts:ops",), {}), False, False),
        (Caller("system:serviceaccount:ops:x", (*ACCOUNTS, "system:serviceaccounts:op"), {}), False, False),
        (Caller("system:serviceaccount:ops", (*ACCOUNTS, "system:serviceaccounts:ops"), {}), False, False),
        (Caller("system:serviceaccount:", (*ACCOUNTS, "system:serviceaccounts:"), {}), False, False),
        (Caller("xsystem:serviceaccount:ops:x", (*ACCOUNTS, "system:serviceaccounts:ops"), {}), False, False),
        (Caller("admin", ("system:masters",), {CREDENTIAL_ID: ("X509SHA256=ab",)}), True, True),
        (Caller("admin", ("system:authenticated",), {}), True, True),
        (Caller("admin", ("system:masters",), {}), False, False),
        (Caller("oidc:ann", ("system:masters", "system:authenticated"), {}), False, False),
        (Caller("ann", ("system:authenticated",), {CREDENTIAL_ID: ("JTI=x",)}), True, False),
        (Caller("system:anonymous", ("system:unauthenticated",), {}), True, False),
    ],
)
def test_whom_the_cluster_itself_knows(caller: Caller, certificate_only: bool, own: bool):
    assert own_identity(caller, certificate_only=certificate_only) is own


def test_a_kubeconfig_with_files_of_its_own(tmp_path: Path):
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("secret\n")
    config = {
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": "https://a", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {"tokenFile": str(tmp_path / "token")}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    found = administrator(path, "", {})
    assert (found.server, found.ca_bundle, asyncio.run(found.load()).token) == ("https://a", "CA", "secret")
    assert "secret" not in repr(found)
    config["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(MemberError, match="FW1717"):
        administrator(path, "", {})


@pytest.mark.parametrize("server", ["", "http://a", "https://[::1", "https://a:99999", "https://u:secret@a"])
def test_a_kubeconfig_whose_server_is_no_https_url(server: str, tmp_path: Path):
    config = kubeconfig(token="secret")
    config["clusters"][0]["cluster"]["server"] = server
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(MemberError, match=r"FW1717.*expected https://host:port") as caught:
        administrator(path, "", {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}", "https://[::1", "https://127.0.0.1:99999", "ftp://a"])
def test_a_request_goes_nowhere_but_to_https(url: str):
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(1 << 16))
        writer.close()

    async def ask() -> None:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        async with server:
            at = url.format(server.sockets[0].getsockname()[1])
            await post_join((at,), f"sha256:{'0' * 64}", {"token": "secret"})

    with pytest.raises(EndpointError, match=r"FW1758.*expected https://host:port"):
        asyncio.run(ask())
    assert heard == b""


def kubeconfig(**user: Any) -> dict[str, Any]:
    server = {"server": "https://a", "certificate-authority-data": "Q0E=", "tls-server-name": "b"}
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip


EXEC = {"command": "/bin/false", "args": ["a"], "env": [{"name": "A", "value": "b"}]}
KUBECONFIGS = (
    kubeconfig(token="secret"), kubeconfig(exec=EXEC), kubeconfig(tokenFile="t"),
    kubeconfig(**{"client-certificate-data": "eA==", "client-key-data": "eA=="}),
)  # fmt: skip


@settings(deadline=None)  # some run a command
@given(altered(*KUBECONFIGS))
@example(yaml.dump(kubeconfig(exec=EXEC | {"args": 5})).encode())
@example(yaml.dump(kubeconfig(exec=EXEC | {"env": True})).encode())
@example(yaml.dump(kubeconfig(exec=EXEC | {"env": [{"name": "a=b", "value": "c"}]})).encode())
def test_a_kubeconfig_with_any_value(data: bytes):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(data)
        with suppress(MemberError):
            asyncio.run(administrator(path, "", {}).load())


@given(
    st.binary(max_size=80)
    | st.dictionaries(st.text(max_size=9), st.none()).map(lambda v: yaml.dump(v).encode())
)
def test_a_kubeconfig_of_any_bytes(data: bytes):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(data)
        with pytest.raises(MemberError, match="FW1717"):
            administrator(path, "", {})


def test_a_kubeconfig_that_is_a_pipe_or_missing(tmp_path: Path):
    with pytest.raises(MemberError, match=r"FW1717.*KUBECONFIG"):
        administrator(tmp_path / "none", "", {})
    with pytest.raises(MemberError, match="FW1717"):
        administrator(tmp_path, "", {})


def test_the_first_file_of_the_variable_that_is_there_is_used(tmp_path: Path):
    there, other = tmp_path / "there", tmp_path / "other"
    for path, token in ((there, "first"), (other, "second")):
        path.write_text(json.dumps(kubeconfig(token=token)))

    def token_of(value: str) -> str:
        made = administrator_of(None, None, {"KUBECONFIG": value, "HOME": str(tmp_path)})
        return asyncio.run(made.load()).token

    assert token_of(f"{tmp_path}/none:{there}:{other}") == "first"
    assert token_of(f":{other}:{there}") == "second"
    with pytest.raises(MemberError, match=r"FW1717.*/none"):
        token_of(f"{tmp_path}/none")


def test_the_pin_is_of_the_very_key():
    authority, other = new_authority("a"), new_authority("a")
    pem = authority.certificate.public_bytes(Encoding.PEM)
    assert pinned_context(pem, pin_of(authority.certificate), "x").check_hostname is False
    for bad in (other.certificate.public_bytes(Encoding.PEM), b"", b"x"):
        with pytest.raises(EndpointError, match="FW1758"):
            pinned_context(bad, pin_of(authority.certificate), "x")
    again = parse_authority(authority.pem)
    assert pin_of(again.certificate) == pin_of(authority.certificate)
    assert "PRIVATE" not in repr(authority)
    leaf, key = issue_leaf(authority, ("127.0.0.1", "host.example"), datetime.now(UTC))
    assert leaf.count(b"BEGIN CERTIFICATE") == 2
    assert b"PRIVATE" in key


def test_versions_and_rights():
    versions = ("v1.30.0", "v1.36.3-eks-1", "v2.0.0", "v1.29.9", "1.36.3", "", "v1.x.0")
    assert [supported(version) for version in versions] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
    rights = list(needed_rights())
    assert Right("escalate", "rbac.authorization.k8s.io", "clusterroles") in rights
    assert Right("update", "", "configmaps", "federation-system") in rights
    assert Right("create", "", "serviceaccounts/token", "federation-system", "federation-viewer") in rights
    assert not any("*" in part for right in rights for part in right)


def test_a_refusal_keeps_the_primarys_code():
    error = RefusedError("FW1743", {"message": "used", "hint": "h"})
    assert (error.code, str(error)) == ("FW1743", "FW1743: used. To fix: h")
    assert RefusedError.code == "FW1756"
