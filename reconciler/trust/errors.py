"""Why something must not be trusted; each class has its own code.

>>> str(UnknownKeyError("no signer has this key", got="SHA256:abc", where="commit 9fceb02"))
'FW1206: commit 9fceb02: no signer has this key: got SHA256:abc'
"""

from reconciler.errors import TrustError


class UnsignedError(TrustError):
    """A commit without a signature."""

    code = "FW1201"


class SignatureFormatError(TrustError):
    """A signature in a format that is not known."""

    code = "FW1202"


class MalformedSignatureError(TrustError):
    """A signature that is not exactly what its format describes."""

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
    """A key or algorithm that is not accepted (DSA, short RSA, SHA-1 signatures)."""

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


class KeyUriError(KeyFileError):
    """A PKCS#11 URI that cannot be used."""

    code = "FW1223"


class KeyLibraryError(KeyFileError):
    """The library that speaks PKCS#11 is not installed."""

    code = "FW1224"


class TokenError(KeyFileError):
    """The token, its module or the key on it cannot be used."""

    code = "FW1225"


class PublicKeyError(KeyFileError):
    """A public key of the reconciler that cannot be read, or that is another than its private key's."""

    code = "FW1226"


class RetiredKeyError(TrustError):
    """The reconciler was given a key that was replaced."""

    code = "FW1227"


class RotationError(TrustError):
    """The reconciler's key cannot be replaced like this."""

    code = "FW1228"


class ChangeSetError(TrustError):
    """A statement that is not a complete change set, or one that must not be signed."""

    code = "FW1240"


class ForgeError(TrustError):
    """A forge's key signed content of its own."""

    code = "FW1260"


class ApprovalError(TrustError):
    """A change that lacks people who have to agree to it."""

    code = "FW1261"


class RootVersionError(TrustError):
    """A trust root that changed without the next version."""

    code = "FW1262"


class RootRollbackError(TrustError):
    """A trust root that is older than the one before it."""

    code = "FW1263"


class EnrollerError(TrustError):
    """An enroller's key signed something else than one new cluster's registration."""

    code = "FW1267"


class EnrollerForbiddenError(TrustError):
    """An enroller added a cluster although the trust root does not let it."""

    code = "FW1268"


class StatementError(TrustError):
    """An approval or heartbeat that cannot be believed."""

    code = "FW1264"


class HeartbeatError(TrustError):
    """No heartbeat says that what the remote shows is current."""

    code = "FW1265"


class FrozenError(TrustError):
    """The remote shows an older state than its heartbeat names."""

    code = "FW1266"


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
        "The signature is in no known format: SSH, OpenPGP or X.509 (CMS).",
        "Sign with what git knows; an SSH key is the simplest: `git config gpg.format ssh`.",
    ),
    "FW1203": (
        "The signature is not well formed.",
        "Sign again with git and its signing program, unmodified.",
    ),
    "FW1204": (
        "The signature was made for another purpose (namespace) than Git.",
        "Sign with `git commit -S`; a signature of a file or mail cannot stand in for one.",
    ),
    "FW1205": (
        "The signature is over a weak hash.",
        "Sign again with SHA-256 or SHA-512 (the default of ssh-keygen and gpg).",
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
        "Key or algorithm not accepted: DSA, RSA under 2048 bits, SHA-1, a certificate that is not well "
        "formed or carries conditions.",
        "Use Ed25519, ECDSA, RSA of 2048 bits or more, or a security key.",
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
    "FW1223": (
        "The PKCS#11 URI of the reconciler's key cannot be used.",
        "Write `pkcs11:token=NAME;object=LABEL?module-path=FILE&pin-source=file:FILE` (RFC 7512), without a "
        "PIN in it.",
    ),
    "FW1224": (
        "The reconciler's key is on a PKCS#11 token, and the library for it is not installed.",
        "Install `fleetward[pkcs11]`.",
    ),
    "FW1225": (
        "The token, its module, the PIN or the key on it cannot be used; nothing was signed.",
        "Look at the token with its own tools (`pkcs11-tool --module FILE --list-objects`); mend the PIN "
        "before you try again, since tokens lock themselves after a few wrong ones.",
    ),
    "FW1226": (
        "A public key of the reconciler cannot be read, or does not belong to its private key.",
        "Give the log's key as `fleetward key show` prints it, or a file with such lines.",
    ),
    "FW1227": (
        "The reconciler's key was replaced in the log; it signs nothing more.",
        "Use the new key; if a rotation broke off on this machine, run `fleetward key rotate` again: that "
        "finishes it.",
    ),
    "FW1228": (
        "The reconciler's key cannot be replaced like this.",
        "Read the message; nothing was written to the log.",
    ),
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
    "FW1260": (
        "The key of a forge signed content of its own: a squash, a rebase, an edit in the browser, or a "
        "merge that is not what its parents merge to.",
        "Let the forge make merge commits only, of branches that are up to date; see 'Merging on a forge' in "
        "docs/trust.md. Sign everything else with a person's key.",
    ),
    "FW1261": (
        "People who have to agree to the change are missing.",
        "`fleetward trust explain REV` lists them; each runs `fleetward approve REV`.",
    ),
    "FW1262": (
        "The trust root changed without the next version.",
        "Set spec.trust.version in federation.yaml to one more than before, in the same commit.",
    ),
    "FW1263": (
        "The trust root is older than the one before it.",
        "Somebody went back to an old federation.yaml. Find out who; to undo a change, make a new version.",
    ),
    "FW1264": (
        "An approval or heartbeat cannot be believed; it counts as if it were not there.",
        "Read why; make it again with a key of federation.yaml, or delete its ref.",
    ),
    "FW1265": (
        "No valid heartbeat says that what the remote shows is current.",
        "Look whether the job that runs `fleetward trust heartbeat` still runs; if so, the remote is frozen.",
    ),
    "FW1266": (
        "The remote shows an older state than its heartbeat names: it is frozen or was moved back.",
        "Fetch from the forge itself; find out what stands between.",
    ),
    "FW1267": (
        "A key with the role enroller signed something else than one new cluster's registration.",
        "Take the commit off the branch. If the reconciler did not make it, its key is stolen: "
        "`fleetward trust revoke NAME`, then `fleetward key rotate --compromised`.",
    ),
    "FW1268": (
        "A key with the role enroller added a cluster, and joining.autoApprove does not allow it.",
        "Review the registration and sign it as a person, or allow it in federation.yaml in a commit before.",
    ),
}
