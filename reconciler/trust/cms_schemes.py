"""The signature algorithms of CMS (RFC 4056, 5753, 5754, 8419): which are accepted, and their check.

Rules: the algorithm fits the key and hashes as the signature's digest does. RSA of 2048 to 16384 bits with
PKCS #1 v1.5 or PSS, ECDSA on P-256, P-384, P-521, Ed25519.

>>> check_signature(signature, certificate)  # doctest: +SKIP
"""

from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from reconciler.trust.cms_message import CmsSignature
from reconciler.trust.errors import KeyTypeError
from reconciler.trust.sshkeys import MAX_RSA_BITS, MIN_RSA_BITS

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_RSA, _PSS, _ED25519 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.3.101.112"
_PKCS1: Final = {"sha256": "1.2.840.113549.1.1.11", "sha384": "1.2.840.113549.1.1.12"} | {
    "sha512": "1.2.840.113549.1.1.13"
}
_ECDSA: Final = {"sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3"} | {
    "sha512": "1.2.840.10045.4.3.4"
}
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def check_signature(signature: CmsSignature, certificate: x509.Certificate) -> None:
    """Raise unless the certificate's key made it; ``digest_name`` is an accepted one.

    Raises KeyTypeError, and InvalidSignature as ``cryptography`` does.
    """
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm as error:
        raise _refused("key", "one that is not known") from error
    if isinstance(key, rsa.RSAPublicKey):
        _rsa(signature, key)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        _ecdsa(signature, key)
    elif isinstance(key, Ed25519PublicKey):
        if (signature.algorithm, signature.digest_name) != (_ED25519, "sha512"):
            raise _refused("signature algorithm", signature.algorithm)
        key.verify(signature.signature, signature.signed)
    else:
        raise _refused("key", type(key).__name__)


def _rsa(signature: CmsSignature, key: rsa.RSAPublicKey) -> None:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise _refused("key", f"RSA of {key.key_size} bits")
    name = signature.digest_name
    if signature.algorithm in (_RSA, _PKCS1[name]):
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    elif signature.algorithm == _PSS:
        scheme = _pss(signature.parameters, name)
    else:
        raise _refused("signature algorithm", signature.algorithm)
    key.verify(signature.signature, signature.signed, scheme, _HASHES[name])


def _pss(parameters: Any, name: str) -> padding.PSS:
    """Both of its hashes are the digest's; the salt is at most as long as the longest of them."""
    facts = parameters.native
    mask, salt = facts["mask_gen_algorithm"], facts["salt_length"]
    same = facts["hash_algorithm"]["algorithm"] == name == mask["parameters"]["algorithm"]
    if (
        not same
        or mask["algorithm"] != "mgf1"
        or not 0 <= salt <= 64
        or facts["trailer_field"] not in (1, "trailer_field_bc")
    ):
        raise _refused("signature algorithm", "RSA-PSS with other parameters")
    return padding.PSS(padding.MGF1(_HASHES[name]), salt)


def _ecdsa(signature: CmsSignature, key: ec.EllipticCurvePublicKey) -> None:
    if not isinstance(key.curve, _CURVES):
        raise _refused("key", key.curve.name)
    if signature.algorithm != _ECDSA[signature.digest_name]:
        raise _refused("signature algorithm", signature.algorithm)
    key.verify(signature.signature, signature.signed, ec.ECDSA(_HASHES[signature.digest_name]))


def _refused(what: str, got: str) -> KeyTypeError:
    hint = "use RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519, with SHA-256 or better"
    return KeyTypeError(f"{what} is not accepted", got=got, hint=hint)
