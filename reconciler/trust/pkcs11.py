"""The reconciler's key on a PKCS#11 token (OASIS PKCS #11 v3.0: CKM_EDDSA, CKK_EC_EDWARDS).

Rules:
- The private key never leaves the token: only messages go in, and signatures come out.
- Every signature is verified before it is used: a token that errs, or another key of the same name, signs
  nothing that anybody sees.
- A session that broke (token pulled, daemon restarted) is opened again, once for each signature, and only
  with the same public key behind it. A PIN that was refused is not tried again: tokens lock themselves.
- PINs are in no error, repr or log. Modules may do anything to their process: name only one that you trust.

``TokenKey.open(parse_uri("pkcs11:token=fleet;object=log?module-path=/usr/lib/softhsm/libsofthsm2.so"), pin)``
is a ``model.Signer``. Needs the extra ``fleetward[pkcs11]``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from reconciler.dsse import key_id
from reconciler.trust.errors import KeyExistsError, KeyLibraryError, TokenError
from reconciler.trust.keys import read_private
from reconciler.trust.keyuri import KeyUri

if TYPE_CHECKING:
    from pkcs11 import Session, Token

_Found = TypeVar("_Found")
MAX_PIN: Final = 1024  # bytes
# The curve's parameters (RFC 8410 object identifier; the name as PrintableString): tokens take one or both.
_OID: Final = bytes.fromhex("06032b6570")
_NAME: Final = b"\x13\x0cedwards25519"
_REASONS: Final = {
    "PKCS11Error": "the module cannot be loaded",
    "PinIncorrect": "the PIN is wrong",
    "PinInvalid": "the PIN is wrong",
    "PinLenRange": "the PIN is wrong",
    "PinExpired": "the PIN is wrong: it expired",
    "PinLocked": "the PIN is locked after too many wrong ones",
    "UserNotLoggedIn": "it wants a PIN, and none was given",
    "MechanismInvalid": "it does not know Ed25519 (CKM_EDDSA)",
}


def read_pin(uri: KeyUri, given: str = "") -> str:
    """The PIN: the file of the URI's pin-source (mode 0600), or else ``given``; "" for none.

    Raises KeyPermissionError, KeyFileError.
    """
    if not uri.pin_source:
        return given
    data = read_private(Path(uri.pin_source), MAX_PIN, "the PIN")
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise TokenError("the PIN is not a text", where=uri.pin_source) from None


class TokenKey:
    """An Ed25519 private key on a token; a ``model.Signer``. May be used by several threads."""

    __slots__ = ("_lock", "_pin", "_private", "_refused", "_session", "_uri", "public_key")

    def __init__(self, uri: KeyUri, pin: str, session: Session, private: Any, public: bytes) -> None:
        self._uri, self._pin, self._lock = uri, pin, threading.Lock()
        self._session, self._private = session, private
        self._refused: TokenError | None = None
        self.public_key = public

    @classmethod
    def open(cls, uri: KeyUri, pin: str) -> Self:
        """Log in and find the key. Raises KeyLibraryError, TokenError."""
        with _explained(uri):
            session = _session(uri, pin)
            private = _find(session, uri)
            return cls(uri, pin, session, private, _public_key(session, uri))

    @property
    def key_id(self) -> str:
        """See ``dsse.key_id``."""
        return key_id(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """64 raw bytes. Raises TokenError."""
        with self._lock, _explained(self._uri):
            from pkcs11 import PKCS11Error

            try:
                return self._sign(message)
            except PKCS11Error:
                self._reopen()
            return self._sign(message)

    def _sign(self, message: bytes) -> bytes:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from pkcs11 import Mechanism

        signature = bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature:
            hint = "look whether two keys of the token have the same label or id"
            raise TokenError("the token's signature does not fit its public key", hint=hint) from None
        return signature

    def _reopen(self) -> None:
        if self._refused:
            raise self._refused
        try:
            again = TokenKey.open(self._uri, self._pin)
        except TokenError as error:
            self._refused = error if "PIN" in error.got else None
            raise
        if again.public_key != self.public_key:
            raise TokenError("the token has another key now", expected=self.key_id, got=again.key_id)
        self._session, self._private = again._session, again._private

    def __repr__(self) -> str:
        return f"TokenKey({self._uri}, {self.key_id})"


def generate_on_token(uri: KeyUri, pin: str) -> TokenKey:
    """Make the key that ``uri`` names; it can neither be read nor be copied from the token.

    Raises KeyExistsError, KeyLibraryError, TokenError.
    """
    with _explained(uri):
        session = _session(uri, pin, writing=True)
        if list(session.get_objects(_wanted(uri, private=True))):
            raise KeyExistsError("the token has such a key already", where=str(uri))
        _generate(session, uri)
    return TokenKey.open(uri, pin)


def _generate(session: Session, uri: KeyUri) -> None:
    from pkcs11 import Attribute, KeyType, Mechanism, PKCS11Error

    hidden = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    for last, parameters in enumerate((_OID, _NAME)):
        curve = session.create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: parameters}, local=True
        )
        try:
            curve.generate_keypair(
                id=uri.id or None, label=uri.object or None, store=True, private_template=hidden,
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            )  # fmt: skip
        except PKCS11Error:
            if last:
                raise
        else:
            return


def _session(uri: KeyUri, pin: str, *, writing: bool = False) -> Session:
    """A session, logged in if there is a PIN."""
    import pkcs11

    token = _token(uri)
    try:
        return token.open(rw=writing, user_pin=pin or None)
    except pkcs11.UserAlreadyLoggedIn:  # by another key of this process: a login holds for all of it
        return token.open(rw=writing)


def _token(uri: KeyUri) -> Token:
    import pkcs11

    wanted = {"manufacturer_id": uri.manufacturer, "model": uri.model, "label": uri.token}
    found = [slot.get_token() for slot in pkcs11.lib(uri.module).get_slots(token_present=True)]
    found = [
        token
        for token in found
        if all(not value or getattr(token, name) == value for name, value in wanted.items())
        and (not uri.serial or bytes(token.serial) == uri.serial.encode())
    ]
    return _only(found, "token", uri)


def _wanted(uri: KeyUri, *, private: bool) -> dict[Any, Any]:
    from pkcs11 import Attribute, KeyType, ObjectClass

    kind = ObjectClass.PRIVATE_KEY if private else ObjectClass.PUBLIC_KEY
    wanted: dict[Any, Any] = {Attribute.CLASS: kind, Attribute.KEY_TYPE: KeyType.EC_EDWARDS}
    if uri.object:
        wanted[Attribute.LABEL] = uri.object
    if uri.id:
        wanted[Attribute.ID] = uri.id
    return wanted


def _find(session: Session, uri: KeyUri, *, private: bool = True) -> Any:
    found = list(session.get_objects(_wanted(uri, private=private)))
    return _only(found, "private Ed25519 key" if private else "public Ed25519 key", uri)


def _only(found: list[_Found], what: str, uri: KeyUri) -> _Found:
    if len(found) != 1:
        hint = "look at the token with `pkcs11-tool --module FILE --login --list-objects`"
        raise TokenError(
            f"the URI has to name one {what}", expected="1", got=str(len(found)), where=str(uri), hint=hint
        )
    return found[0]


def _public_key(session: Session, uri: KeyUri) -> bytes:
    from pkcs11 import Attribute

    point = bytes(_find(session, uri, private=False)[Attribute.EC_POINT])
    # PKCS #11 v3.0 says raw bytes; most tokens wrap them in a DER OCTET STRING, as for other curves.
    raw = point[2:] if len(point) == 34 and point[:2] == b"\x04\x20" else point
    if len(raw) != 32:
        raise TokenError("the key on the token is not Ed25519", got=f"a point of {len(point)} bytes")
    return raw


@contextmanager
def _explained(uri: KeyUri) -> Iterator[None]:
    """The library's errors as ours. What they say is left out but for their name: it may quote anything."""
    try:
        import pkcs11
    except ImportError as error:
        raise KeyLibraryError(
            "the library for PKCS#11 is not installed", where=str(uri),
            hint="install the extra: `pip install 'fleetward[pkcs11]'`",
        ) from error  # fmt: skip
    try:
        yield
    except pkcs11.PKCS11Error as error:
        name = type(error).__name__
        raise TokenError(
            "the token refused", got=_REASONS.get(name, name), where=str(uri),
            hint=f"look at the token with its own tools; its module is {uri.module}",
        ) from None  # fmt: skip
