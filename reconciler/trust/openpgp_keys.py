"""Which OpenPGP keys are accepted: version 4; RSA of 2048 to 16384 bits, ECDSA on the NIST curves, Ed25519.

>>> weakness(bytes.fromhex("0400000000" "11"))
'public key algorithm 17'
"""

from reconciler.trust.sshkeys import MAX_RSA_BITS, MIN_RSA_BITS
from reconciler.trust.wire import Reader

_RSA, _RSA_SIGN, _ECDSA, _EDDSA, _ED25519 = 1, 3, 19, 22, 27
_CURVES = {
    _ECDSA: {"2a8648ce3d030107": "P-256", "2b81040022": "P-384", "2b81040023": "P-521"},
    _EDDSA: {"2b06010401da470f01": "Ed25519"},
}


def weakness(body: bytes) -> str:
    """Why the key in a public key packet is not accepted; "" if it is. Raises WireError."""
    reader = Reader(body)
    version, algorithm = reader.take(1)[0], reader.take(5)[4]
    if version != 4:
        return f"a key of version {version}"
    if algorithm in (_RSA, _RSA_SIGN):
        bits = int.from_bytes(reader.take(2), "big")
        return "" if MIN_RSA_BITS <= bits <= MAX_RSA_BITS else f"RSA of {bits} bits"
    if algorithm in _CURVES:
        curve = reader.take(reader.take(1)[0]).hex()
        return "" if curve in _CURVES[algorithm] else "another curve"
    return "" if algorithm == _ED25519 else f"public key algorithm {algorithm}"
