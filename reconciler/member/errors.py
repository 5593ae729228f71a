"""Everything that can go wrong with a member, one class and code each.

``failover``: another API server of the same member may answer better. ``transient``: the same request may
succeed later, so it is retried with backoff. What is neither is raised at once.

>>> str(ForbiddenError("may not list roles", where="member-a", hint="grant list on roles"))
'FW1711: member-a: may not list roles. To fix: grant list on roles'
"""

from typing import ClassVar

from reconciler.errors import MemberError

CODES: dict[str, tuple[str, str]] = {
    "FW1700": ("a member cannot be reached, believed or written", "read the message; it names the cause"),
    "FW1701": ("no connection to any API server", "check apiServers, the network and firewalls"),
    "FW1702": ("the API server did not answer in time", "check its load, or raise limits.requestTimeout"),
    "FW1703": ("the API server's certificate is signed by an unknown CA", "put its CA into caBundle"),
    "FW1704": ("the API server's certificate is not valid now", "renew it, and check both clocks"),
    "FW1705": ("the API server's certificate is for another name", "set tlsServerName or mend the URL"),
    "FW1706": ("the API server answered with a redirect", "register the URL that it leads to"),
    "FW1707": ("the answer is not a Kubernetes API answer", "check that the URL is an API server's"),
    "FW1708": ("the answer is larger than allowed", "look for what answers instead of the API server"),
    "FW1709": ("the connection broke in the middle of an answer", "retried; check load balancers on the way"),
    "FW1710": ("the API server does not accept the credentials (401)", "renew them; see `credentials`"),
    "FW1711": (
        "the reconciler lacks a right on the member (403)",
        "grant the verb that the message names; `fleetward doctor` lists all that are missing",
    ),
    "FW1712": ("the object or kind does not exist on the member (404)", "install what defines it"),
    "FW1713": ("the object changed or belongs to another manager (409)", "plan again, or `conflict: take`"),
    "FW1714": ("the API server refuses the object (400, 422)", "mend the fields that the message names"),
    "FW1715": ("the API server is overloaded (429)", "retried; lower the load or raise its limits"),
    "FW1716": ("the API server failed (5xx)", "retried; look at the member's control plane"),
    "FW1717": ("the member's credentials cannot be used", "mend the file, Secret or command named"),
    "FW1718": ("the exec command is not allowed", "add that very argv to credentials.execCommands"),
    "FW1719": ("the credentials belong to another user than registered", "set spec.username of the Cluster"),
    "FW1720": (
        "the record on the member is not ours or was altered",
        "see the runbook: find who, then delete it",
    ),
    "FW1721": (
        "the record belongs to another cluster",
        "a registration points to the wrong or a restored cluster",
    ),
    "FW1722": (
        "the member is not prepared, or its namespace is being deleted",
        "kubectl apply -f template/bootstrap/member.yaml on it; wait first until the old namespace is gone",
    ),
    "FW1723": ("apply was given something that was not authorized", "a defect or an attack: report it"),
    "FW1724": ("the member moved since the plan was made", "nothing to do: the next run plans again"),
    "FW1725": ("a CustomResourceDefinition did not become established", "read its conditions"),
    "FW1726": ("the TLS connection failed", "check TLS versions and the client certificate"),
    "FW1727": ("the member does not know the kind", "install its CustomResourceDefinition first"),
    "FW1728": ("the record does not fit into the member", "split the fleet: too many objects for one member"),
    "FW1729": ("something that the object needs failed first", "mend that; this one follows"),
    "FW1730": (
        "the run on the member took too long",
        "raise limits.applyTimeout, or look at the member's load",
    ),
    "FW1731": (
        "the member's Kubernetes version is not the registered one",
        "set spec.kubernetesVersion of the Cluster, so that objects are checked against the right schemas",
    ),
    "FW1732": (
        "the member's clock and this host's differ",
        "synchronize both clocks (chrony, systemd-timesyncd)",
    ),
    "FW1733": (
        "the guard is not in place as it was compiled",
        "fleetward reconcile --deep restores it; find who changed it",
    ),
    "FW1734": (
        "the member's credentials have expired, or soon do",
        "renew the token or certificate that the registration names",
    ),
    "FW1735": (
        "the reconciler has more rights on the member than it needs",
        "take away what the message names, on the member",
    ),
    "FW1736": ("others can read a credential or the state folder", "chmod 600 the file, 700 the folder"),
    "FW1760": (
        "the member gave no new token for the reconciler's account",
        "kubectl apply -f template/bootstrap/member.yaml on it: it grants the account its own TokenRequest",
    ),
    "FW1761": (
        "a new token was given and does not work",
        "look at the member's API servers: they do not agree on their signing keys or accounts",
    ),
    "FW1762": (
        "the file of a token cannot be replaced",
        "let the reconciler's user write the credentials folder, and look for a full disk",
    ),
    "FW1763": (
        "a credential ends soon and is not renewed by fleetward",
        "renew it as it was made, or register a service account token as credentials.tokenFile",
    ),
    "FW1764": (
        "the member issued no short-lived credential",
        "kubectl apply -f template/bootstrap/member.yaml on it: it makes federation-viewer",
    ),
    "FW1765": ("the life asked for is out of bounds", "ask for 10m (an API server gives no less) to 24h"),
    "FW1766": (
        "a kubeconfig cannot be read or written",
        "name another file with --out, or remove the one that is damaged",
    ),
    "FW1785": (
        "the primary is not prepared for ClusterProfiles: definition or namespace is missing",
        "kubectl apply -f template/bootstrap/cluster-profiles.yaml on it, and make the namespace; or"
        " `fleetward promote --cluster-profiles NAMESPACE` as its administrator",
    ),
    "FW1786": (
        "the status of a ClusterProfile could not be written",
        "nothing else is affected; read the message: a right is missing, or another tool owns the field",
    ),
    "FW1787": (
        "a published ClusterProfile cannot be registered as it is",
        "read the message; `fleetward cluster discover` lists what is published and what was left out",
    ),
    "FW1767": ("nobody confirmed that an admin credential is wanted", "run it at a terminal, or pass --yes"),
    "FW1790": (
        "there is no key that opens sealed credentials",
        "put the key back from where it was kept, or name it in FLEETWARD_CREDENTIALS_KEY; if it is lost,"
        " take the sealed files away and give the members new credentials",
    ),
    "FW1791": (
        "the key of sealed credentials cannot be used",
        "make its mode 0600 and its content the lines that it was made with; see docs/credentials.md",
    ),
    "FW1792": (
        "a credential is sealed with another key",
        "add that key as another line to the key file, then run `fleetward key credentials --rotate`; if it"
        " is lost, take the file away and give the member a new credential",
    ),
    "FW1793": (
        "a credential's Secret cannot be written",
        "kubectl apply -f template/bootstrap/primary.yaml on the primary; for a Secret in another namespace"
        " grant get and update there",
    ),
    "FW1794": (
        "the Secret for a member's credential is there and was made by somebody else",
        "find out whose it is; then rename it, delete it, or give it the label that the message names",
    ),
    "FW1795": (
        "a sealed credential is damaged, or was put in another file's place",
        "put the file back from a backup, or take it away and give the member a new credential",
    ),
    "FW1796": (
        "another run replaced the credential at the same time",
        "nothing to do: what that run put there is in use",
    ),
}


class _CodedError(MemberError):
    """Its ``advice`` is what ``CODES`` says."""

    def __init_subclass__(cls) -> None:
        if "code" in vars(cls):
            cls.advice = CODES[cls.code][1]


class ReplyError(_CodedError):
    """What one request to one API server came to; ``retry_after`` is in seconds, ``date`` its header Date.

    ``audit_id`` is the Audit-ID that a write carried: it may have arrived all the same. ``doubtful``: what
    was sent may have been done. ``repeated``: an earlier try of the same request may have been.
    """

    failover: ClassVar[bool] = False
    transient: ClassVar[bool] = False
    doubtful: ClassVar[bool] = False
    repeated: bool = False
    retry_after: float | None = None
    audit_id: str = ""
    date: str = ""


class UnreachableError(ReplyError):
    """No connection: refused, no route, unknown host."""

    code = "FW1701"
    failover = transient = True


class SlowError(ReplyError):
    """No answer within the request timeout."""

    code = "FW1702"
    doubtful = True
    failover = transient = True


class UnknownAuthorityError(ReplyError):
    """The certificate is not signed by caBundle."""

    code = "FW1703"
    failover = True


class ExpiredCertificateError(ReplyError):
    """The certificate is expired or not yet valid."""

    code = "FW1704"
    failover = True


class WrongNameError(ReplyError):
    """The certificate's names do not include the host or tlsServerName."""

    code = "FW1705"
    failover = True


class RedirectError(ReplyError):
    """A 3xx answer; credentials are never sent along."""

    code = "FW1706"
    failover = True


class NotKubernetesError(ReplyError):
    """An answer that is not JSON or not of the expected shape."""

    code = "FW1707"
    doubtful = True
    failover = True


class TooLargeError(ReplyError):
    """An answer above the size limit; reading stopped there."""

    code = "FW1708"


class CutError(ReplyError):
    """The connection ended before the answer did."""

    code = "FW1709"
    doubtful = True
    failover = transient = True


class UnauthorizedError(ReplyError):
    """401, after the credentials were read once more."""

    code = "FW1710"


class ForbiddenError(ReplyError):
    """403, from RBAC or an admission policy."""

    code = "FW1711"


class NotFoundError(ReplyError):
    """404."""

    code = "FW1712"


class ConflictError(ReplyError):
    """409: a field of another manager, or an object that changed in between.

    ``managers`` is how the API server names them: ``("kubectl-edit", "Update", "", ".spec.replicas")``.
    """

    code = "FW1713"
    managers: tuple[tuple[str, str, str, str], ...] = ()


class InvalidError(ReplyError):
    """400 or 422: the object is refused as it is."""

    code = "FW1714"


class ThrottledError(ReplyError):
    """429, after all tries."""

    code = "FW1715"
    transient = True


class ServerError(ReplyError):
    """5xx, after all tries."""

    code = "FW1716"
    doubtful = True
    transient = True
    failover = True


class CredentialError(_CodedError):
    """Credentials that cannot be read or are of a refused sort."""

    code = "FW1717"


class ExecRefusedError(_CodedError):
    """An exec command that the Federation does not allow."""

    code = "FW1718"


class IdentityError(_CodedError):
    """The member knows us as somebody else than the registration says."""

    code = "FW1719"


class RecordError(_CodedError):
    """The record cannot be believed."""

    code = "FW1720"


class WrongClusterError(_CodedError):
    """Record or authorization were made for another cluster."""

    code = "FW1721"


class NotPreparedError(_CodedError):
    """Namespace or rights of the bootstrap are missing, or the namespace is being deleted."""

    code = "FW1722"


class NotAuthorizedError(_CodedError):
    """The change set does not cover what apply was asked to do."""

    code = "FW1723"


class MovedError(_CodedError):
    """The record on the member is not the one that the plan was made from."""

    code = "FW1724"


class NotEstablishedError(_CodedError):
    """A CRD was refused or took too long."""

    code = "FW1725"


class TlsError(ReplyError):
    """A handshake that failed for another reason than the certificate's."""

    code = "FW1726"
    failover = True


class UnknownKindError(_CodedError):
    """Neither table, record, desired CRDs nor discovery know the kind."""

    code = "FW1727"


class RecordTooLargeError(_CodedError):
    """More record than etcd takes."""

    code = "FW1728"


class NeedsFailedError(_CodedError):
    """The namespace or CRD of the object failed."""

    code = "FW1729"


class OutOfTimeError(_CodedError):
    """The whole operation ran out of time."""

    code = "FW1730"


class RenewalError(_CodedError):
    """The TokenRequest for our own account was refused or did not end in time."""

    code = "FW1760"


class UnusableTokenError(_CodedError):
    """The API server does not accept the token that it has just given."""

    code = "FW1761"


class TokenFileError(_CodedError):
    """The token file cannot be replaced."""

    code = "FW1762"


class NotRenewableError(_CodedError):
    """The credential is of a sort that somebody else has to renew."""

    code = "FW1763"


class IssueError(_CodedError):
    """The TokenRequest for somebody's short-lived credential was refused, or there is no account for it."""

    code = "FW1764"


class LifeError(_CodedError):
    """A life of a credential that is not given."""

    code = "FW1765"


class KubeconfigFileError(_CodedError):
    """Our own kubeconfig, or the file it is to be written to."""

    code = "FW1766"


class UnpreparedError(_CodedError):
    """The primary serves no ClusterProfiles, or not where they should be."""

    code = "FW1785"


class ProfileStatusError(_CodedError):
    """A status that the primary did not take."""

    code = "FW1786"


class PublishedError(_CodedError):
    """What others published is no registration."""

    code = "FW1787"


class UnconfirmedError(_CodedError):
    """An admin credential was asked for, and nobody said yes."""

    code = "FW1767"


class SealKeyMissingError(_CodedError):
    """There is no key file for sealed credentials."""

    code = "FW1790"


class SealKeyError(_CodedError):
    """The key file is readable by others, malformed, or in use by another process."""

    code = "FW1791"


class WrongSealKeyError(_CodedError):
    """None of our keys sealed this credential."""

    code = "FW1792"


class SecretWriteError(_CodedError):
    """The primary does not let us write a credential's Secret."""

    code = "FW1793"


class StoreError(_CodedError):
    """A Secret in the place of a member's credential that we did not make."""

    code = "FW1794"


class DamagedSealError(_CodedError):
    """A sealed credential that was cut, altered or moved, or is of an unknown version."""

    code = "FW1795"


class SlotLostError(_CodedError):
    """Another run replaced the credential at the same time."""

    code = "FW1796"
