"""The reconciler's own key, as settings name it: the private part for writing, public parts for reading.

Rules:
- Who only reads needs no private key: FLEETWARD_PUBLIC_KEY, else STATE/reconciler.pub, else (a machine that
  has the private key anyway) what belongs to it.
- Public keys are vkeys, as the log's own readers elsewhere take them: ``<origin>+<id>+<base64>``.
- A key that the log is to name is durable before it does (``next_key``), and used after (``take_over``).

>>> parse_public_keys(vkey(bytes(32)))[0] == bytes(32)
True
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SettingsError
from reconciler.model import Signer
from reconciler.surfaces.settings import Settings

if TYPE_CHECKING:
    from reconciler.audit.state import LogState

ORIGIN = "fleetward.io/log"
MAX_FILE = 64 << 10  # bytes
MAX_KEYS = 100


def private_key(settings: Settings) -> Signer:
    """The key to sign with. Raises SettingsError when there is none, and what reading it raises."""
    if settings.signing_key:
        return named_key(settings.signing_key, settings.pin)
    if not settings.key_file.exists():
        raise SettingsError(
            "the reconciler has no key",
            where=str(settings.key_file),
            hint="`fleetward trust init` makes one; on throw-away machines set FLEETWARD_SIGNING_KEY",
        )
    from reconciler.trust import load

    return load(settings.key_file)


def named_key(text: str, pin: str) -> Signer:
    """The private key of a PKCS#11 URI, or of PEM text. Raises TrustError."""
    from reconciler.trust import load_text
    from reconciler.trust.keyuri import is_uri, parse_uri

    if not is_uri(text):
        return load_text(text)
    from reconciler.trust.pkcs11 import TokenKey, read_pin

    uri = parse_uri(text)
    return TokenKey.open(uri, read_pin(uri, pin))


def whereabouts(settings: Settings) -> str:
    """Where the private key is, for people; never a secret."""
    from reconciler.trust.keyuri import is_uri, parse_uri

    if is_uri(settings.signing_key):
        return str(parse_uri(settings.signing_key))
    if settings.signing_key:
        return "FLEETWARD_SIGNING_KEY"
    return str(settings.key_file) if settings.key_file.exists() else ""


def make_key(settings: Settings) -> Signer:
    """A new key in STATE/reconciler.key, its public part beside it. Raises KeyExistsError, KeyFileError."""
    from reconciler.trust import generate

    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = generate(settings.key_file)
    write_public_key(settings, key.public_key)
    return key


def vkey(public_key: bytes) -> str:
    """``<origin>+<id>+<base64>`` of 32 bytes."""
    from reconciler.audit.note import VerifierKey

    return str(VerifierKey(ORIGIN, public_key))


def public_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys that this machine starts to believe from. Raises PublicKeyError, SettingsError."""
    if settings.public_key:
        return _given(settings.public_key)
    if settings.signing_key and not _same_place(settings):
        return (private_key(settings).public_key,)
    if settings.public_file.exists():
        return parse_public_keys(_read(settings.public_file), str(settings.public_file))
    if not whereabouts(settings):
        raise SettingsError(
            "neither a public nor a private key of the reconciler is known",
            where=str(settings.public_file),
            hint="set FLEETWARD_PUBLIC_KEY to what `fleetward key show` prints on the reconciler's host;"
            " before the first commit is trusted, `fleetward trust init` makes the key",
        )
    return (private_key(settings).public_key,)


def _same_place(settings: Settings) -> bool:
    """Whether STATE/reconciler.pub may speak for FLEETWARD_SIGNING_KEY: for a token, which is slow to ask."""
    from reconciler.trust.keyuri import is_uri

    return is_uri(settings.signing_key) and settings.public_file.exists()


def next_key(settings: Settings, given: str) -> Signer:
    """The key to rotate to, durable when this returns: a token's, or that in STATE/reconciler.key.new.

    ``given`` is a PKCS#11 URI, a file, or "" for a key made now; what an earlier try left is used again.
    Raises TrustError.
    """
    from reconciler.trust import generate, load
    from reconciler.trust.errors import RotationError
    from reconciler.trust.keys import save
    from reconciler.trust.keyuri import is_uri

    if is_uri(given):
        return named_key(given, settings.pin)
    path = next_file(settings)
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        return save(path, load(Path(given))) if given else generate(path)
    begun = load(path)
    if given and load(Path(given)).public_key != begun.public_key:
        raise RotationError(
            "a rotation to another key was begun", where=str(path),
            hint="finish it with `fleetward key rotate` without --new-key, or delete that file to give it up",
        )  # fmt: skip
    return begun


def next_file(settings: Settings) -> Path:
    """Where the key to rotate to waits until the log names it."""
    return settings.key_file.with_name(f"{settings.key_file.name}.new")


def take_over(settings: Settings, new: Signer) -> Path | None:
    """Use ``new`` from now on; where the old private key's file is now. May be repeated after any crash.

    The last step is the one that takes the waiting key away: until then a rotation shows as begun.
    """
    from reconciler.trust.keys import replace, retire

    write_public_key(settings, new.public_key)
    if next_file(settings).exists():
        return replace(settings.key_file, next_file(settings))
    return retire(settings.key_file, unless=new.public_key)


def write_public_key(settings: Settings, public_key: bytes) -> None:
    """STATE/reconciler.pub, replaced as a whole. A cache of what follows from the private key."""
    text = f"{vkey(public_key)}\n"
    temporary = settings.public_file.with_name(f"reconciler.pub.{os.getpid()}.tmp")
    with suppress(OSError):
        if settings.public_file.exists() and settings.public_file.read_text() == text:
            return
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(text)
        temporary.replace(settings.public_file)


def parse_public_keys(text: str, where: str = "FLEETWARD_PUBLIC_KEY") -> tuple[bytes, ...]:
    """The keys of a text with one vkey a line; ``#`` starts a comment. Raises PublicKeyError."""
    from reconciler.audit.note import VerifierKey
    from reconciler.errors import AuditError
    from reconciler.trust.errors import PublicKeyError

    lines = [line for line in (line.strip() for line in text.splitlines()) if line and line[0] != "#"]
    expected = f"1 to {MAX_KEYS} lines like {ORIGIN}+ID+BASE64, as `fleetward key show` prints them"
    try:
        keys = [VerifierKey.parse(line) for line in lines]
    except AuditError as error:
        raise PublicKeyError(f"not a public key: {error.message}", expected=expected, where=where) from None
    if not 0 < len(keys) <= MAX_KEYS or any(key.name != ORIGIN for key in keys):
        raise PublicKeyError("not the public keys of a reconciler", expected=expected, where=where)
    return tuple(dict.fromkeys(key.public_key for key in keys))


def _given(value: str) -> tuple[bytes, ...]:
    is_key = value.lstrip().startswith(f"{ORIGIN}+")
    return parse_public_keys(value) if is_key else parse_public_keys(_read(Path(value)), value)


def _read(path: Path) -> str:
    from reconciler.trust.errors import PublicKeyError

    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise PublicKeyError(
            "cannot read the reconciler's public key", where=str(path),
            expected="a vkey, or the path of a file with vkeys",
            got=getattr(error, "strerror", "") or "no text",
        ) from error  # fmt: skip


def require_in_force(state: LogState, public_key: bytes) -> None:
    """The key was not replaced. Raises RetiredKeyError."""
    own = vkey(public_key)
    retired = next((key for key in state.keys if key.vkey == own and key.until is not None), None)
    if retired is None:
        return
    from reconciler.trust.errors import RetiredKeyError

    raise RetiredKeyError(
        f"the reconciler's key was replaced at entry {retired.until} of the log",
        expected=state.public_key,
        got=own,
        hint="use the new key; if a rotation broke off here, run `fleetward key rotate` again to finish it",
    )
