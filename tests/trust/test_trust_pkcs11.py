"""Keys on PKCS#11 tokens: the URI, and a real token (SoftHSM2) that is found, signs, breaks and refuses."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from softhsm_fixtures import PIN, TOKENS, SoftHsm

from reconciler.dsse import sign, verify
from reconciler.model import Signer
from reconciler.trust.errors import KeyExistsError, KeyPermissionError, KeyUriError, TokenError
from reconciler.trust.keyuri import SCHEME, is_uri, parse_uri
from reconciler.trust.pkcs11 import TokenKey, generate_on_token, read_pin

GOOD = "pkcs11:token=t;object=k?module-path=/m.so"


def test_a_uri_says_all_that_it_says() -> None:
    uri = parse_uri(
        "pkcs11:token=My%20token;serial=2b81;manufacturer=A%3bB;model=v2;object=log;id=%00%ff;type=private"
        "?pin-source=file:/run/pin&module-path=/usr/lib/m.so\n"
    )
    assert (uri.token, uri.serial, uri.manufacturer, uri.model) == ("My token", "2b81", "A;B", "v2")
    assert (uri.object, uri.id, uri.module, uri.pin_source) == ("log", b"\0\xff", "/usr/lib/m.so", "/run/pin")
    assert parse_uri(GOOD.replace("?", "?pin-source=file:///run/pin&")).pin_source == "/run/pin"
    assert parse_uri(GOOD.replace("?", "?pin-source=/run/pin&")).pin_source == "/run/pin"
    assert is_uri("PKCS11:token=x")
    assert not is_uri("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pkcs12:token=t", "not a PKCS#11 URI"),
        ("pkcs11:", "module-path"),
        ("pkcs11:token=t;object=k", "module-path"),
        ("pkcs11:object=k?module-path=/m", "the token"),
        ("pkcs11:token=t?module-path=/m", "the key"),
        (GOOD + "&module-path=/n.so", "twice"),
        (GOOD.replace("token=t", "token=t;token=u"), "twice"),
        (GOOD.replace("object=k", "object=k;slot-id=0"), "slot-id"),
        (GOOD.replace("object=k", "object=k;type=cert"), "private"),
        (GOOD.replace("object=k", "object"), "object"),
        (GOOD.replace("object=k", "object=%zz"), "percent"),
        (GOOD.replace("object=k", "object=%ff"), "printable"),
        (GOOD.replace("object=k", "object=%0a"), "printable"),
        (GOOD + "&module-name=softhsm2", "module-name"),
        (GOOD + "&pin-source=|cat%20/etc/passwd", "not a file"),
        (GOOD + "&pin-source=file://host/pin", "not a file"),
        (GOOD + "&pin-source=pin", "not a file"),
        (GOOD + "#x", "not a PKCS#11 URI"),
        (GOOD + "x" * 5000, "not a PKCS#11 URI"),
        (GOOD.replace("token=t", "token=a b"), "not a PKCS#11 URI"),
    ],
)
def test_a_uri_that_might_mean_something_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(KeyUriError, match=f"FW1223.*{why}"):
        parse_uri(text)


def test_a_pin_in_a_uri_is_refused_and_not_repeated() -> None:
    for text in (GOOD + "&pin-value=29184756", GOOD.replace("token=t", "token=t;pin-value=29184756")):
        with pytest.raises(KeyUriError, match="change the PIN") as error:
            parse_uri(text)
        assert "29184756" not in str(error.value)


@given(
    st.text(max_size=80) | st.from_regex(r"(token|id|object|pin-value|x)=[%0-9a-f;&?]{0,9}", fullmatch=True)
)
def test_parsing_a_uri_raises_nothing_else(text: str) -> None:
    for whole in (SCHEME + text, GOOD + "&" + text, GOOD.replace("token=t", text)):
        try:
            uri = parse_uri(whole)
        except KeyUriError:
            continue
        assert parse_uri(f"{uri}?module-path=/m.so").token == uri.token


def test_the_pin_comes_from_a_private_file_or_else_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "pin"
    uri = parse_uri(f"{GOOD}&pin-source=file:{file}")
    file.write_text("12 34\n")
    file.chmod(0o640)
    with pytest.raises(KeyPermissionError, match=r"FW1221.*others can read the PIN"):
        read_pin(uri)
    file.chmod(0o600)
    assert read_pin(uri, "from outside") == "12 34"
    assert read_pin(parse_uri(GOOD), "from outside") == "from outside"


def key_on(softhsm: SoftHsm, name: str, token: str = TOKENS[0]) -> TokenKey:
    """The key of that name, made if there is none yet."""
    uri = parse_uri(softhsm.uri(token, name))
    try:
        return generate_on_token(uri, read_pin(uri))
    except KeyExistsError:
        return TokenKey.open(uri, read_pin(uri))


def test_a_token_signs_what_others_verify(softhsm: SoftHsm) -> None:
    key: Signer = key_on(softhsm, "log")
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(key.sign(b"message"), b"message")
    envelope = sign("application/vnd.in-toto+json", b"{}", key)
    assert verify(envelope, "application/vnd.in-toto+json", [key.public_key]) == b"{}"
    assert key.sign(b"") != key.sign(b"x" * 100_000)
    assert key_on(softhsm, "log").public_key == key.public_key
    assert PIN not in repr(key)


def test_a_key_is_never_made_twice_and_never_leaves_the_token(softhsm: SoftHsm) -> None:
    from pkcs11 import Attribute, AttributeSensitive

    key = key_on(softhsm, "stays")
    with pytest.raises(KeyExistsError, match="FW1222"):
        generate_on_token(parse_uri(softhsm.uri(key="stays")), PIN)
    with pytest.raises(AttributeSensitive):
        key._private[Attribute.VALUE]


def test_broken_sessions_are_opened_again(softhsm: SoftHsm) -> None:
    import pkcs11

    key = key_on(softhsm, "again")
    key.sign(b"1")
    pkcs11.lib(str(softhsm.module)).reinitialize()  # as when its daemon or the token went away and came back
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(key.sign(b"2"), b"2")


def test_a_pin_that_was_refused_is_not_tried_again(softhsm: SoftHsm) -> None:
    import pkcs11

    key = key_on(softhsm, "pin", "two")
    library = pkcs11.lib(str(softhsm.module))

    def change(old: str, new: str) -> None:
        library.reinitialize()
        (token,) = (slot.get_token() for slot in library.get_slots(True) if slot.get_token().label == "two")
        token.open(rw=True, user_pin=old).set_pin(old, new)
        library.reinitialize()

    change(PIN, "87654321")
    errors = []
    for _ in range(2):
        with pytest.raises(TokenError, match="the PIN is wrong") as error:
            key.sign(b"x")
        errors.append(error.value)
    change("87654321", PIN)
    with pytest.raises(TokenError, match="the PIN is wrong"):  # not asked, although it would be right again
        key.sign(b"x")
    assert errors[0] is errors[1]
    assert PIN not in str(errors[0]).replace(str(softhsm.pin_file), "")


def test_a_key_that_became_another_is_refused(softhsm: SoftHsm) -> None:
    import pkcs11
    from pkcs11 import Attribute

    key, other = key_on(softhsm, "swapped"), key_on(softhsm, "other")
    library = pkcs11.lib(str(softhsm.module))
    library.reinitialize()
    (token,) = (slot.get_token() for slot in library.get_slots(True) if slot.get_token().label == "one")
    with token.open(rw=True, user_pin=PIN) as session:
        for name, label in (("swapped", "gone"), ("other", "swapped")):
            for found in session.get_objects({Attribute.LABEL: name}):
                found[Attribute.LABEL] = label
    with pytest.raises(TokenError, match="another key now"):
        key.sign(b"x")
    assert other.public_key == key_on(softhsm, "swapped").public_key


def test_a_public_key_that_does_not_belong_to_the_private_one_signs_nothing(softhsm: SoftHsm) -> None:
    import pkcs11
    from pkcs11 import Attribute, ObjectClass

    for name in ("mine", "foreign"):
        key_on(softhsm, name)
    library = pkcs11.lib(str(softhsm.module))
    library.reinitialize()
    (token,) = (slot.get_token() for slot in library.get_slots(True) if slot.get_token().label == "one")
    with token.open(rw=True, user_pin=PIN) as session:
        public = {Attribute.CLASS: ObjectClass.PUBLIC_KEY}
        for found in session.get_objects({**public, Attribute.LABEL: "mine"}):
            found.destroy()
        for found in session.get_objects({**public, Attribute.LABEL: "foreign"}):
            found[Attribute.LABEL] = "mine"
    key = TokenKey.open(parse_uri(softhsm.uri(key="mine")), PIN)
    with pytest.raises(TokenError, match="does not fit its public key"):
        key.sign(b"x")


def test_two_keys_of_one_name_are_told_apart_or_refused(softhsm: SoftHsm) -> None:
    uris = [parse_uri(softhsm.uri("two", "twin").replace("?", f";id=%0{n}?")) for n in (1, 2)]
    keys = [generate_on_token(uri, PIN) for uri in uris]
    assert keys[0].public_key != keys[1].public_key
    assert TokenKey.open(uris[1], PIN).public_key == keys[1].public_key
    with pytest.raises(TokenError, match=r"FW1225.*one private Ed25519 key.*got 2"):
        TokenKey.open(parse_uri(softhsm.uri("two", "twin")), PIN)


def test_several_threads_may_sign(softhsm: SoftHsm) -> None:
    key, made = key_on(softhsm, "threads"), dict[int, bytes]()

    def work(number: int) -> None:
        for n in range(20):
            made[number * 20 + n] = key.sign(b"%d" % (number * 20 + n))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    assert len(made) == 80
    for number, signature in made.items():
        public.verify(signature, b"%d" % number)


PROBE = """
import sys
from reconciler.errors import FleetwardError
from reconciler.trust.keyuri import parse_uri
from reconciler.trust.pkcs11 import TokenKey
try:
    key = TokenKey.open(parse_uri(sys.argv[1]), sys.argv[2])
    for _ in range(3):
        try: key.sign(b"x")
        except FleetwardError as error: print(error)
except FleetwardError as error:
    print(error)
"""


def probe(uri: str, pin: str) -> str:
    """What a process of its own says: a login holds for the whole process."""
    command = [sys.executable, "-c", PROBE, uri, pin]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("change", "pin", "why"),
    [
        (("token=one", "token=none"), PIN, "one token"),
        (("token=one", "token=one;serial=00"), PIN, "one token"),
        (("token=one", "token=one;manufacturer=Other"), PIN, "one token"),
        (("object=log", "object=none"), PIN, "one private Ed25519 key"),
        (("", ""), "wrong-" + PIN, "the PIN is wrong"),
        (("", ""), "", "one private Ed25519 key"),  # without a login a token shows no private keys
    ],
)
def test_what_a_token_refuses(softhsm: SoftHsm, change: tuple[str, str], pin: str, why: str) -> None:
    key_on(softhsm, "log")
    said = probe(softhsm.uri().replace(*change), pin)
    assert "FW1225" in said
    assert why in said
    assert PIN not in said.replace(str(softhsm.pin_file), "")


def test_no_module_is_an_error_like_any_other(softhsm: SoftHsm, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("not a library")
    for module in (tmp_path / "absent.so", tmp_path / "text.so"):
        said = probe(f"pkcs11:token=t;object=k?module-path={module}", "")
        assert "FW1225" in said
        assert "the module cannot be loaded" in said


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "pkcs11.py").write_text("raise ImportError('as on a machine without the extra')")
    probing = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{PROBE}"
    command = [sys.executable, "-c", probing, GOOD, ""]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "FW1224" in said
    assert "fleetward[pkcs11]" in said
