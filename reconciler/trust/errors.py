"""Why something must not be trusted; each class has its own code.

>>> str(UnknownKeyError("no signer has this key", got="SHA256:abc", where="commit 9fceb02"))
'FW1206: commit 9fceb02: no signer has this key: got SHA256:abc'
"""

from reconciler.errors import TrustError


class UnsignedError(TrustError):
    """A commit without a signature."""

    code = "FW1201"


class SignatureFormatError(TrustError):
    """A signature that is not an SSH signature (OpenPGP, X.509)."""

    code = "FW1202"


class MalformedSignatureError(TrustError):
    """An SSH signature that is not exactly what PROTOCOL.sshsig describes."""

    code = "FW1203"


class NamespaceError(TrustError):
    """A good signature made for another purpose than Git."""

    code = "FW1204"


class WeakHashError(TrustError):
    """A signature over a hash other than SHA-256 or SHA-512."""

    code = "FW1205"


class UnknownKeyError(TrustError):
    """A signature by a key that no signer has."""

    code = "FW1206"


class BadSignatureError(TrustError):
    """A signature that does not match: the commit, or the signature, was altered."""

    code = "FW1207"


class KeyTypeError(TrustError):
    """A key or algorithm that is not accepted (DSA, short RSA, SHA-1 signatures, certificates)."""

    code = "FW1208"


class SignerListError(TrustError):
    """The list of signers itself cannot be used."""

    code = "FW1209"


class UserPresenceError(TrustError):
    """A security key signed without being touched."""

    code = "FW1210"


class ValidityError(TrustError):
    """A key or certificate that was not valid when the commit was first seen."""

    code = "FW1211"


class RevokedError(TrustError):
    """A key or certificate that was revoked."""

    code = "FW1212"


class AuthorityError(TrustError):
    """A certificate that no listed authority issued."""

    code = "FW1213"


class PrincipalError(TrustError):
    """A certificate that names no signer, or more than one."""

    code = "FW1214"


class RevocationDataError(TrustError):
    """Revocation data that is missing, out of date or unreadable: then nobody is trusted."""

    code = "FW1215"


class KeyFileError(TrustError):
    """The reconciler's key cannot be read, parsed or written."""

    code = "FW1220"


class KeyPermissionError(KeyFileError):
    """The reconciler's key file can be read by others."""

    code = "FW1221"


class KeyExistsError(KeyFileError):
    """There is a key already; it is never overwritten."""

    code = "FW1222"


class ChangeSetError(TrustError):
    """A statement that is not a complete change set, or one that must not be signed."""

    code = "FW1240"


CODES: dict[str, tuple[str, str]] = {
    "FW1200": (
        "Something must not be trusted; has no code of its own.",
        "Read the message; do not work around.",
    ),
    "FW1201": (
        "The commit is not signed.",
        "`git config gpg.format ssh`, `git config user.signingKey KEY.pub`, `git commit --amend -S`.",
    ),
    "FW1202": (
        "The signature is OpenPGP or X.509; only SSH signatures are accepted.",
        "Sign with an SSH key: `git config gpg.format ssh`.",
    ),
    "FW1203": ("The SSH signature is not well formed.", "Sign again with git and ssh-keygen, unmodified."),
    "FW1204": (
        "The signature was made for another purpose (namespace) than Git.",
        "Sign with `git commit -S`; a signature of a file or mail cannot stand in for one.",
    ),
    "FW1205": (
        "The signature is over a weak hash.",
        "Sign again with sha256 or sha512 (ssh-keygen's default).",
    ),
    "FW1206": (
        "No signer has the key.",
        "If its owner may sign, add the key to `signers` in federation.yaml, in a commit by a known signer.",
    ),
    "FW1207": (
        "The signature does not match: commit or signature was altered.",
        "Do not merge; find out where it came from, and sign the right content again.",
    ),
    "FW1208": (
        "Key or algorithm not accepted: DSA, RSA under 2048 bits, SHA-1, certificates.",
        "Use ssh-ed25519, ECDSA, RSA of 2048 bits or more, or a security key.",
    ),
    "FW1209": (
        "The list of signers cannot be used: a key does not parse, or two names share one.",
        "Mend `signers` in federation.yaml: 'TYPE BASE64' as in a .pub file, each key once.",
    ),
    "FW1210": (
        "A security key signed without being touched.",
        "Make the key without `no-touch-required` and sign again.",
    ),
    "FW1211": (
        "The key or certificate was not valid when the commit was first seen.",
        "Sign the commit again with a key that is valid now; or correct `validAfter` and `validBefore`.",
    ),
    "FW1212": (
        "The key or certificate was revoked.",
        "Find out why it is still in use; sign again with another key.",
    ),
    "FW1213": (
        "No listed authority issued the certificate.",
        "Get a certificate from an authority in federation.yaml, or list its authority there.",
    ),
    "FW1214": (
        "The certificate names no signer, or more than one.",
        "Give the signer the certificate's principal in federation.yaml, each principal to one signer only.",
    ),
    "FW1215": (
        "Revocation data is missing, out of date or unreadable.",
        "Publish a current KRL or CRL in federation.yaml; without it no certificate can be believed.",
    ),
    "FW1220": (
        "The reconciler's key cannot be used.",
        "Give an Ed25519 private key as PKCS#8 PEM, unencrypted.",
    ),
    "FW1221": (
        "The reconciler's key can be read by others.",
        "`chmod 600 FILE`; if others had access, make a new one.",
    ),
    "FW1222": ("There is a key already.", "Keep it, or move it away before a new one is made."),
    "FW1230": ("Not a DSSE envelope as fleetward writes it.", "Use the file as it was written, unchanged."),
    "FW1231": (
        "No known key signed the envelope.",
        "Check that the public key is that of the reconciler which made it; else treat it as forged.",
    ),
    "FW1232": ("The envelope is of another type.", "Give the kind of file that the command expects."),
    "FW1240": (
        "The change set is incomplete or must not be signed.",
        "Plan again; report it if that does not help.",
    ),
}
