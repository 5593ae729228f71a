"""Why a cluster may not join, or a primary not be made, beyond what other rooms say."""

from reconciler.errors import MemberError


class TokenUsedError(MemberError):
    """The token was used, by another or for another."""

    code = "FW1743"


class TokenUnknownError(MemberError):
    """The log does not know the token, or it was revoked."""

    code = "FW1744"


class TokenNameError(MemberError):
    """The token is for another name."""

    code = "FW1745"


class BadNameError(MemberError):
    """A name that no joining cluster may have."""

    code = "FW1746"


class NameTakenError(MemberError):
    """The name is registered or proposed."""

    code = "FW1747"


class ClusterKnownError(MemberError):
    """The cluster is registered or proposed under another name."""

    code = "FW1748"


class PrimaryError(MemberError):
    """There is no primary, or there is one."""

    code = "FW1755"


class KickRefusedError(MemberError):
    """The cluster cannot be kicked."""

    code = "FW1770"


class NotGoneError(MemberError):
    """The cluster to be kicked does not answer, and nobody said that it is gone."""

    code = "FW1771"


class NotEmptyError(MemberError):
    """The cluster could not be emptied."""

    code = "FW1772"


class CredentialLeftError(MemberError):
    """A stored credential cannot be removed."""

    code = "FW1774"


class RequestError(MemberError):
    """A request that is none."""

    code = "FW1756"


class BusyError(MemberError):
    """Too many requests."""

    code = "FW1757"


class AutoApproveError(MemberError):
    """The Federation does not allow joins without review."""

    code = "FW1775"


class EnrollerMissingError(MemberError):
    """The reconciler's key is no enroller of the fleet."""

    code = "FW1776"


class RegistrationDiffersError(MemberError):
    """The cluster is not as the registration that was merged before says."""

    code = "FW1777"


class JoinFileError(MemberError):
    """A file of a join that cannot be used."""

    code = "FW1778"
