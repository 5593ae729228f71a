"""Commits of every key type, whole and broken: our verdict, ``ssh-keygen -Y verify``, ``git verify-commit``.

The rule: what we accept, they accept. Where they accept and we do not, ``STRICTER`` names the rule of ours; a
row of it that is no longer needed fails too. Our verdict here is parsing, the certificate, the principal, the
revocation list and the signature.
"""

import random
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import cert_forge as certs
import pytest
import ssh_forge as forge
from cert_forge import Workshop
from git_fixtures import FleetRepo, Person

from reconciler.errors import FleetwardError, TrustError
from reconciler.repository import Repository
from reconciler.trust import sshsig
from reconciler.trust.errors import (
    AuthorityError,
    KeyTypeError,
    MalformedSignatureError,
    NamespaceError,
    PrincipalError,
    RevokedError,
    UnknownKeyError,
    UserPresenceError,
    ValidityError,
    WeakHashError,
)
from reconciler.trust.krl import parse_krl
from reconciler.trust.sshcert import SshAuthority, check_certificate
from reconciler.trust.sshkeys import parse_key

AT = datetime(2023, 11, 15, tzinfo=UTC)  # the fixture's commits are of the evening before
KINDS = {
    "ed25519": ("ed25519", 0),
    "ecdsa256": ("ecdsa", 256),
    "ecdsa384": ("ecdsa", 384),
    "ecdsa521": ("ecdsa", 521),
    "rsa2048": ("rsa", 2048),
    "rsa3072": ("rsa", 3072),
}
CA_KINDS = ("ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048")
FORGED_CA = certs.authority()
SHA1_CA = forge.rsa_key(2048, "ssh-rsa")
RSA256 = forge.rsa_key(2048, "rsa-sha2-256")
OLD_RSA = forge.rsa_key(2048, "ssh-rsa")
SHORT_RSA = forge.rsa_key(1024)
VALID = ("-V", "20230101000000:20240101000000")


@dataclass
class World:
    """Keys and certificates of alice, and what is believed: keys, authorities, revocations."""

    shop: Workshop
    fleet: FleetRepo
    keys: dict[str, Path] = field(default_factory=dict)
    cas: dict[str, Path] = field(default_factory=dict)
    listed: set[bytes] = field(default_factory=set)
    authorities: dict[bytes, SshAuthority] = field(default_factory=dict)
    allowed: Path = Path()
    krl: Path = Path()

    def certified(self, name: str, key: str, ca: str, *options: str, key_id: str = "id") -> Path:
        return self.shop.certificate(self.cas[ca], self.keys[key], name, *options, key_id=key_id)

    def commit(self, name: str, key: Path) -> str:
        """A real commit by ``key``, which may be a certificate."""
        self.fleet.people[name] = Person(name, key, "")
        return self.fleet.commit({"file": name}, by=name, message=f"By {name}\n\nWith a body.")


@dataclass(frozen=True)
class Signed:
    """A commit's payload and its armoured signature."""

    payload: bytes
    signature: bytes


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = World(Workshop(tmp_path_factory.mktemp("keys")), FleetRepo(tmp_path_factory.mktemp("git")))
    found.keys = {name: found.shop.key(name, *kind) for name, kind in KINDS.items()}
    for name in ("revoked", "revoked256"):
        found.keys[name] = found.shop.key(name)
    found.cas = {name: found.shop.key(f"ca-{name}", *KINDS[name]) for name in CA_KINDS}
    found.cas |= {name: found.shop.key(f"ca-{name}") for name in ("revoked", "unlisted")}
    _believe(found)
    return found


def _believe(world: World) -> None:
    forged = [forge.sk_ed25519(), forge.sk_ecdsa(), RSA256, OLD_RSA, SHORT_RSA]
    keys = [certs.text(key) for key in world.keys.values()] + [key.text for key in forged]
    listed_cas = [certs.text(key) for name, key in world.cas.items() if name != "unlisted"]
    cas = [*listed_cas, FORGED_CA.text, SHA1_CA.text]
    world.allowed = world.shop.allowed(
        "allowed", *(f"alice {key}" for key in keys), *(f"alice cert-authority {ca}" for ca in cas)
    )
    spec = "serial: 13\nserial: 20-30\nid: lost laptop\nkey: {}\nsha256: {}\nkey: {}\n".format(
        *map(certs.text, (world.keys["revoked"], world.keys["revoked256"], world.cas["revoked"]))
    )
    world.krl = world.shop.krl("krl", spec, world.cas["ed25519"].with_suffix(".pub"))
    krl = parse_krl(world.krl.read_bytes())
    wires = [certs.wire(key) for name, key in world.cas.items() if name != "unlisted"]
    for blob in (*wires, FORGED_CA.blob, SHA1_CA.blob):
        world.authorities[blob] = SshAuthority("people", parse_key(blob), krl)
    world.listed = {certs.wire(key) for key in world.keys.values()} | {key.blob for key in forged}


def judge(world: World, commit: Signed) -> None:
    """Our verdict: raises unless alice signed."""
    found = sshsig.parse(commit.signature)
    if found.certificate is not None:
        check_certificate(found.certificate, world.authorities, AT)
        if "alice" not in found.certificate.principals:
            raise PrincipalError("not alice")
    elif found.key.blob not in world.listed:
        raise UnknownKeyError("not listed")
    elif any(
        authority.krl and authority.krl.revokes_key(found.key) for authority in world.authorities.values()
    ):
        raise RevokedError("revoked")
    sshsig.verify(found, commit.payload, namespace="git")


def ours(world: World, commit: Signed) -> TrustError | None:
    try:
        judge(world, commit)
    except TrustError as error:
        assert str(error).isprintable()
        return error
    return None


def theirs(world: World, commit: Signed) -> bool:
    place = world.shop.folder / "signature"
    place.write_bytes(commit.signature)
    command = ["ssh-keygen", "-Y", "verify", "-f", world.allowed, "-I", "alice", "-n", "git", "-s", place]
    time = f"-Overify-time={AT:%Y%m%d%H%M%S}"
    done = subprocess.run(
        [*command, "-r", world.krl, time], input=commit.payload, env=certs.ENVIRONMENT, capture_output=True,
        timeout=certs.LIMIT,
    )  # fmt: skip
    return done.returncode == 0


def compare(world: World, name: str, commit: Signed, unused: set[str] | None = None) -> TrustError | None:
    """Our error; fails when we accept what they refuse, or are stricter without saying so."""
    error, they = ours(world, commit), theirs(world, commit)
    if error is None:
        assert they, f"{name}: we accept what ssh-keygen refuses"
    elif they:
        assert name in STRICTER, f"{name}: ssh-keygen accepts, we say {error}"
        (unused if unused is not None else set()).discard(name)
    return error


def opened(world: World) -> Repository:
    return Repository.open(str(world.fleet.path), cache_dir=world.fleet.root / "cache")


@pytest.fixture(scope="module")
def subjects(world: World) -> dict[str, Signed]:
    """One good commit of every kind of key, plain and certified; security keys are forged."""
    paths = {name: world.keys[name] for name in KINDS}
    for key in KINDS:
        paths[f"certified {key}"] = world.certified(f"c-{key}", key, "ed25519", "-n", "alice", *VALID)
    for ca in CA_KINDS[1:]:
        paths[f"by {ca}"] = world.certified(f"by-{ca}", "ed25519", ca, "-n", "bob,alice", *VALID)
    commits = {name: world.commit(name.replace(" ", "-"), path) for name, path in paths.items()}
    repository = opened(world)
    found = {}
    for name, commit in commits.items():
        read = repository.commit(commit)
        found[name] = Signed(read.payload, (read.signature or b"") + b"\n")  # as ssh-keygen writes it
    payload = found["ed25519"].payload
    for key in (forge.sk_ed25519(), forge.sk_ecdsa(), RSA256):
        for made in (key, certs.certificate(key, FORGED_CA)):
            found[f"forged {made.type}"] = Signed(payload, certs.signature(made, payload))
    sha256 = certs.signed(world.keys["ed25519"], payload, "git", "-O", "hashalg=sha256")
    return found | {"ed25519 over sha256": Signed(payload, sha256)}


def test_what_is_whole_is_accepted_by_all(world: World, subjects: dict[str, Signed]) -> None:
    assert len(subjects) == 23
    for name, commit in subjects.items():
        assert theirs(world, commit), name
        assert ours(world, commit) is None, name


Change = Callable[[Signed], Signed]


def armour(change: Callable[[bytes], bytes]) -> Change:
    return lambda signed: replace(signed, signature=change(signed.signature))


def blob(change: Callable[[bytes], bytes]) -> Change:
    return armour(lambda text: forge.armour(change(forge.dearmour(text))))


def payload(change: Callable[[bytes], bytes]) -> Change:
    return lambda signed: replace(signed, payload=change(signed.payload))


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, 1)


def claiming(name: bytes) -> Change:
    """Another namespace in the signature than the one that was signed."""
    return blob(replaced(forge.s(b"git") + forge.s(b""), forge.s(name) + forge.s(b"")))


def claiming_hash(name: bytes) -> Change:
    return blob(
        lambda b: b.replace(forge.s(b"sha512"), forge.s(name)).replace(forge.s(b"sha256"), forge.s(name))
    )


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


WHOLE = {"wrapped at 64", "no last line end"}
DAMAGE: dict[str, Change] = {
    "wrapped at 64": armour(lambda a: forge.armour(forge.dearmour(a), 64)),
    "no last line end": armour(lambda a: a.rstrip(b"\n")),
    "wrapped at 200": armour(lambda a: forge.armour(forge.dearmour(a), 200)),
    "garbage before": armour(lambda a: b"x\n" + a),
    "garbage after": armour(lambda a: a + b"x\n"),
    "two signatures": armour(lambda a: a + a),
    "CRLF": armour(lambda a: a.replace(b"\n", b"\r\n")),
    "blank line within": armour(replaced(b"SIGNATURE-----\n", b"SIGNATURE-----\n\n")),
    "space in base64": armour(replaced(b"AAAA", b"AA AA")),
    "no begin": armour(replaced(b"BEGIN", b"BEGUN")),
    "no end": armour(replaced(b"-----END SSH SIGNATURE-----\n", b"")),
    "padding too long": armour(replaced(b"\n-----END", b"====\n-----END")),
    "nothing": armour(lambda _: b""),
    "truncated": blob(lambda b: b[:-1]),
    "half": blob(lambda b: b[: len(b) // 2]),
    "trailing byte": blob(lambda b: b + b"\0"),
    "magic": blob(lambda b: flipped(b, 0)),
    "version 0": blob(replaced(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\0")),
    "version 2": blob(replaced(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2")),
    "huge length": blob(lambda b: b[:10] + b"\xff" * 4 + b[14:]),
    "key type": blob(lambda b: flipped(b, 16)),
    "signature": blob(lambda b: flipped(b, -9)),
    "last bit": blob(lambda b: flipped(b, -1)),
    "namespace file": claiming(b"file"),
    "no namespace": claiming(b""),
    "namespace and more": claiming(b"git\0"),
    "reserved": blob(replaced(forge.s(b"git") + forge.s(b""), forge.s(b"git") + forge.s(b"x"))),
    "hash sha1": claiming_hash(b"sha1"),
    "hash sha384": claiming_hash(b"sha384"),
    "no hash": claiming_hash(b""),
    "hash and more": blob(lambda b: re.sub(rb"\x06(sha256|sha512)", b"\x07\\g<1>\0", b)),
    "payload longer": payload(lambda p: p + b"\n"),
    "payload shorter": payload(lambda p: p[:-1]),
    "payload empty": payload(lambda _: b""),
    "payload with CRLF": payload(lambda p: p.replace(b"\n", b"\r\n")),
    "payload by another": payload(replaced(b"author ", b"author x")),
    "payload flipped": payload(lambda p: flipped(p, len(p) // 2, 5)),
}
STRICTER = {
    # Around or inside a signature, and not covered by it: anyone can change it, another reader may take it
    # for something else.
    "wrapped at 200": "lines of 1 to 76 characters",
    "garbage after": "nothing before or after the armour",
    "two signatures": "nothing before or after the armour",
    "blank line within": "canonical base64",
    "space in base64": "canonical base64",
    "version 0": "version 1",
    "reserved": "reserved is empty",
    "namespace and more": "the namespace is git to the byte",
    "hash and more": "the hash is sha256 or sha512 to the byte",
    # Conditions of a certificate that ssh-keygen does not look at when it verifies a signature.
    "force-command": "critical options are kept or refused",
    "source-address": "critical options are kept or refused",
    "unknown critical option": "critical options are kept or refused",
    "verify-required on a plain key": "critical options are kept or refused",
    "verify-required, touched only": "the security key verifies its user",
    "untouched": "a security key is touched",
    "untouched, certified": "a security key is touched, whatever the certificate permits",
    "SHA-1 authority": "authorities sign with SHA-2",
    # Certificates that PROTOCOL.certkeys does not describe.
    "options out of order": "options in order",
    "options twice": "options once",
    "certificate's reserved field": "reserved is empty",
    "year 10000": "times before the year 10000",
    "key id with an escape": "names can be shown",
    "principal with an escape": "names can be shown",
    "short RSA": "RSA of 2048 bits",
    "short RSA, certified": "RSA of 2048 bits",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_every_kind_of_damage(world: World, subjects: dict[str, Signed], name: str) -> None:
    unused = {name} & STRICTER.keys()
    for subject, good in subjects.items():
        damaged = DAMAGE[name](good)
        assert damaged != good or name == "wrapped at 64", subject
        error = compare(world, name, damaged, unused)
        assert (error is None) == (name in WHOLE), f"{subject}: {error}"
    assert not unused, "the table is out of date"


def test_any_bit(world: World, subjects: dict[str, Signed]) -> None:
    """Bits of the binary signature (most of it is certificate, where there is one) and of the payload."""
    chance = random.Random(4)  # noqa: S311  not a secret
    for name, good in subjects.items():
        size = len(forge.dearmour(good.signature))
        for _ in range(3):
            at, bit = chance.randrange(14, size), chance.randrange(8)
            change = blob(partial(flipped, at=at, bit=bit))
            assert compare(world, f"{name}, byte {at} bit {bit}", change(good)), (name, at, bit)


def test_signatures_of_others(world: World, subjects: dict[str, Signed]) -> None:
    """A good signature over another commit, and a field of one signature in another."""
    for (name, one), (_, other) in pairwise(subjects.items()):
        if one.payload != other.payload:
            assert compare(world, name, Signed(other.payload, one.signature)), name
    plain, certified = subjects["ed25519"], subjects["certified ed25519"]
    key = forge.s(certs.wire(world.keys["ed25519"]))
    certificate = forge.s(certs.wire(world.shop.folder / "c-ed25519-cert.pub"))
    swapped = replace(plain, signature=blob(replaced(key, certificate))(plain).signature)
    assert compare(world, "certified afterwards", swapped) is None  # the same key signed, and is certified
    stripped = replace(certified, signature=blob(replaced(certificate, key))(certified).signature)
    assert compare(world, "stripped", stripped) is None  # the key itself is listed
    stranger = forge.s(certs.wire(world.shop.folder / "c-rsa2048-cert.pub"))
    assert isinstance(
        compare(world, "another's certificate", blob(replaced(key, stranger))(plain)), TrustError
    )


Issue = Callable[[World], Path | forge.Forged]


def real(
    *options: str, key: str = "ed25519", ca: str = "ed25519", key_id: str = "id", window: str = VALID[1]
) -> Issue:
    """A certificate by ssh-keygen, for alice unless ``options`` say something else."""
    names = () if "-n" in options or "nobody" in options else ("-n", "alice")
    rest = tuple(option for option in options if option != "nobody")

    def issue(world: World) -> Path:
        number = len(list(world.shop.folder.glob("issued-*.pub")))
        return world.certified(f"issued-{number}", key, ca, *names, "-V", window, *rest, key_id=key_id)

    return issue


def made(
    key: Callable[[], forge.Forged] = forge.ed25519, ca: forge.Forged = FORGED_CA, **fields: object
) -> Issue:
    return lambda _: certs.certificate(key(), ca, **fields)  # type: ignore[arg-type]


def option(name: bytes, data: bytes = b"") -> bytes:
    return certs.options((name, data))


LIAR = forge.Forged(FORGED_CA.type, FORGED_CA.blob, certs.authority(0x0D).sign)
TYPES: dict[str, tuple[type[TrustError] | None, Issue]] = {
    "good": (None, real()),
    "for ever": (None, real(window="always:forever")),
    "from now on": (None, real(window="20231115000000:20240101000000")),
    "until the next second": (None, real(window="20230101000000:20231115000001")),
    "until now": (ValidityError, real(window="20230101000000:20231115000000")),
    "expired": (ValidityError, real(window="20220101000000:20230101000000")),
    "not yet valid": (ValidityError, real(window="20231115000001:20240101000000")),
    "other principal": (PrincipalError, real("-n", "bob")),
    "several principals": (None, real("-n", "bob,alice")),
    "wildcard principal": (PrincipalError, real("-n", "al*,*")),
    "principal in capitals": (PrincipalError, real("-n", "Alice")),
    "no principal": (KeyTypeError, real("nobody")),
    "host": (KeyTypeError, real("-h")),
    "unlisted authority": (AuthorityError, real(ca="unlisted")),
    "revoked authority": (RevokedError, real(ca="revoked")),
    "revoked serial": (RevokedError, real("-z", "13")),
    "revoked range": (RevokedError, real("-z", "30")),
    "beside the range": (None, real("-z", "31")),
    "the same serial of another authority": (None, real("-z", "13", ca="ecdsa256")),
    "revoked key id": (RevokedError, real(key_id="lost laptop")),
    "the same key id of another authority": (None, real(key_id="lost laptop", ca="ecdsa256")),
    "revoked key": (RevokedError, real(key="revoked")),
    "revoked key by SHA-256": (RevokedError, real(key="revoked256")),
    "force-command": (KeyTypeError, real("-O", "force-command=true")),
    "source-address": (KeyTypeError, real("-O", "source-address=127.0.0.0/8")),
    "unknown critical option": (KeyTypeError, real("-O", "critical:x@example.com=1")),
    "verify-required on a plain key": (KeyTypeError, real("-O", "verify-required")),
    "unknown extension": (None, real("-O", "extension:x@example.com=1")),
    "no extensions": (None, real("-O", "clear")),
    "forged well": (None, made()),
    "issued by another": (AuthorityError, made(ca=LIAR)),
    "SHA-1 authority": (AuthorityError, made(ca=SHA1_CA)),
    "key of a SHA-1 signature": (KeyTypeError, made(lambda: OLD_RSA)),
    "version 00": (KeyTypeError, made(version=b"-cert-v00@openssh.com")),
    "kind 3": (KeyTypeError, made(kind=3)),
    "empty principal": (KeyTypeError, made(principals=(b"",))),
    "principal and a zero byte": (KeyTypeError, made(principals=(b"alice\0x",))),
    "principal with an escape": (KeyTypeError, made(principals=(b"alice", b"\x1b[2J"))),
    "key id with an escape": (KeyTypeError, made(key_id=b"\x1b[2J")),
    "options out of order": (KeyTypeError, made(extensions=option(b"b") + option(b"a"))),
    "options twice": (KeyTypeError, made(extensions=option(b"a") + option(b"a"))),
    "half an option": (KeyTypeError, made(extensions=forge.s(b"a"))),
    "certificate's reserved field": (KeyTypeError, made(reserved=b"x")),
    "certificate and more": (KeyTypeError, made(tail=b"x")),
    "year 10000": (KeyTypeError, made(before=253_402_300_800)),
    "authority is a certificate": (KeyTypeError, made(ca_blob=certs.certificate(FORGED_CA, FORGED_CA).blob)),
    "short RSA, certified": (KeyTypeError, made(lambda: SHORT_RSA)),
    "short RSA": (KeyTypeError, lambda _: SHORT_RSA),
    "SHA-1 signature": (KeyTypeError, lambda _: OLD_RSA),
    "revoked plain key": (RevokedError, lambda world: world.keys["revoked"]),
    "unlisted plain key": (UnknownKeyError, lambda world: world.cas["unlisted"]),
    "authority's own signature": (UnknownKeyError, lambda world: world.cas["ecdsa256"]),
    "untouched": (UserPresenceError, lambda _: forge.sk_ed25519(flags=0)),
    "untouched, certified": (
        UserPresenceError, made(partial(forge.sk_ecdsa, flags=0), extensions=option(b"no-touch-required")),
    ),
    "verify-required": (None, made(partial(forge.sk_ed25519, flags=5), critical=option(b"verify-required"))),
    "verify-required, touched only": (
        UserPresenceError, made(partial(forge.sk_ed25519, flags=1), critical=option(b"verify-required")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_every_kind_of_certificate(world: World, subjects: dict[str, Signed], name: str) -> None:
    expected, issue = TYPES[name]
    key, body = issue(world), subjects["ed25519"].payload
    signature = certs.signed(key, body) if isinstance(key, Path) else certs.signature(key, body)
    unused = {name} & STRICTER.keys()
    error = compare(world, name, Signed(body, signature), unused)
    assert type(error) is (expected or type(None)), error
    assert not unused, "the table is out of date"


def test_every_row_of_the_table_is_about_something() -> None:
    assert STRICTER.keys() <= DAMAGE.keys() | TYPES.keys()
    assert len(DAMAGE) + len(TYPES) - len(WHOLE) > 60


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"namespace": b"file"}, NamespaceError),
        ({"namespace": b"git\0"}, NamespaceError),
        ({"hash_name": "sha1"}, WeakHashError),
        ({"hash_name": "sha384"}, WeakHashError),
        ({"version": 2}, MalformedSignatureError),
    ],
)
def test_well_signed_for_something_else(
    world: World, fields: dict[str, object], expected: type[TrustError]
) -> None:
    """Whatever is claimed is also what is signed; by a certified security key and a plain one."""
    for key in (forge.sk_ed25519(), certs.certificate(forge.sk_ed25519(), FORGED_CA)):
        signature = forge.armour(forge.blob_of(key, b"x", **fields))  # type: ignore[arg-type]
        assert type(compare(world, str(fields), Signed(b"x", signature))) is expected


# The same with git itself: it reads the commit, looks up the principal and passes the committer's time on.


def stored(world: World, commit: Signed, change: Callable[[bytes], bytes] = bytes) -> str:
    """The commit as an object, ``change`` being done to its raw bytes."""
    header = b"gpgsig " + commit.signature.rstrip(b"\n").replace(b"\n", b"\n ")
    raw = commit.payload.replace(b"\n\n", b"\n" + header + b"\n\n", 1)
    return world.fleet.write_object("commit", change(raw))


def git_accepts(world: World, commit: str) -> bool:
    settings = (f"gpg.ssh.allowedSignersFile={world.allowed}", f"gpg.ssh.revocationFile={world.krl}")
    command = ["git", *(part for value in settings for part in ("-c", value)), "verify-commit", commit]
    done = subprocess.run(
        command, cwd=world.fleet.path, env=world.fleet.env, capture_output=True, timeout=certs.LIMIT
    )
    return done.returncode == 0


def we_accept(world: World, commit: str) -> bool:
    try:
        read = opened(world).commit(commit)
        judge(world, Signed(read.payload, read.signature or b""))
    except FleetwardError:
        return False
    return True


def samples(world: World, subjects: dict[str, Signed]) -> Iterator[tuple[str, bool, str]]:
    """(name, whether it is whole, commit)."""
    for name, commit in subjects.items():
        yield name, True, stored(world, commit)
    body = subjects["ed25519"].payload
    for name in (
        "expired",
        "other principal",
        "host",
        "unlisted authority",
        "revoked serial",
        "revoked key id",
    ):
        key = TYPES[name][1](world)
        assert isinstance(key, Path)
        yield name, False, stored(world, Signed(body, certs.signed(key, body)))
    for name in ("signature", "namespace file", "payload by another", "garbage before", "truncated"):
        for subject in ("rsa2048", "certified ecdsa384"):
            yield name, False, stored(world, DAMAGE[name](subjects[subject]))


def test_git_and_we_agree(world: World, subjects: dict[str, Signed]) -> None:
    for name, whole, commit in samples(world, subjects):
        assert git_accepts(world, commit) == whole, name
        assert we_accept(world, commit) == whole, name


def doubled(header: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(header, header + b"x\n" + header, 1)


HEADERS: dict[str, Callable[[bytes], bytes]] = {
    "untouched": bytes,
    "second gpgsig": lambda raw: raw.replace(b"\n\n", b"\ngpgsig x\n\n", 1),
    "gpgsig-sha256": lambda raw: raw.replace(b"\n\n", b"\ngpgsig-sha256 x\n\n", 1),
    "second tree": lambda raw: raw[:46] + raw,
    "second author": lambda raw: raw.replace(b"author ", b"author x <x@x> 1 +0000\nauthor ", 1),
    "encoding": lambda raw: raw.replace(b"\n\n", b"\nencoding latin1\n\n", 1),
    "unknown header": lambda raw: raw.replace(b"\n\n", b"\nx y\n\n", 1),
}
STRICTER_HEADERS = {
    "second gpgsig": "git joins both, so that anyone can add one",
    "gpgsig-sha256": "git leaves it out of what is signed, so anyone can add it",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_the_commit(world: World, subjects: dict[str, Signed], name: str) -> None:
    for subject in ("ed25519", "certified rsa2048"):
        commit = stored(world, subjects[subject], HEADERS[name])
        they, we = git_accepts(world, commit), we_accept(world, commit)
        assert we == (name == "untouched")
        assert they == (we or name in STRICTER_HEADERS), f"{subject}: git {they}, we {we}"
