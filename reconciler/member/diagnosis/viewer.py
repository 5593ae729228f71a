"""The identity that only reads (``viewerCredentials``): it logs in, sees what is compiled, can do no more.

Each is asked as that identity, by the servers that let the writer in.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.documents import Credentials
from reconciler.errors import MemberError
from reconciler.member import errors
from reconciler.member.bootstrap import LABEL_AGGREGATE_VIEW
from reconciler.member.connection import Client
from reconciler.member.diagnosis import rights
from reconciler.member.diagnosis.logins import Loaded, expiry_results, load_login
from reconciler.member.diagnosis.member import Seen
from reconciler.member.diagnosis.results import MemberCheck, Result, failed, failed_by, ok, skipped
from reconciler.member.diagnosis.servers import Way
from reconciler.member.discovery import Kinds
from reconciler.member.identity import whoami
from reconciler.model import Desired

CHECKS = (
    MemberCheck.VIEWER, MemberCheck.VIEWER_EXPIRY, MemberCheck.VIEWER_RIGHTS, MemberCheck.VIEWER_EXCESS,
)  # fmt: skip
_EXPECTED = "a user of its own"


async def examine_viewer(way: Way, credentials: Credentials, desired: Desired, seen: Seen) -> None:
    """Add to ``seen``, which has the servers; ``way`` has the viewer's source.

    Nothing that is the member's fault is raised.
    """
    good = [server.url for server in seen.servers if server.identity]
    if not good:
        seen.results.extend(skipped(check, "no API server lets us in") for check in CHECKS)
        return
    if (way := await _log_in(way, credentials, seen)).source is None:
        return
    transport = way.transport(*good)
    try:
        client = Client(transport, Kinds(transport), ())
        login = await _login_result(client, way.cluster.username)
        seen.results.append(login)
        if login.code:
            seen.results.extend(skipped(check, "it is not known as whom") for check in CHECKS[2:])
            return
        seen.results.extend(await _rights(client, desired))
    finally:
        await transport.close()


async def _log_in(way: Way, credentials: Credentials, seen: Seen) -> Way:
    assert way.source is not None  # noqa: S101  it is there until it was tried
    result, login = await load_login(way.source, credentials.method, way.bounds.timeout.total_seconds() / 2)
    if login is None:
        seen.results.append(replace(result, check=MemberCheck.VIEWER))
        seen.results.extend(skipped(check, "there are no usable credentials") for check in CHECKS[1:])
        return replace(way, source=None)
    found = expiry_results(login, way.clock(), way.bounds)
    seen.results.extend(replace(one, check=MemberCheck.VIEWER_EXPIRY) for one in found)
    return replace(way, source=Loaded(login))


async def _login_result(client: Client, writer: str) -> Result:
    try:
        name = await whoami(client.transport)
    except MemberError as error:
        return failed_by(MemberCheck.VIEWER, error, _EXPECTED)
    if name == writer:
        hint = "give viewerCredentials an account that can only read, as federation-viewer"
        code = errors.IdentityError.code
        return failed(MemberCheck.VIEWER, _EXPECTED, f"the writer, {name}", hint, code=code)
    return ok(MemberCheck.VIEWER, _EXPECTED, name)


async def _rights(client: Client, desired: Desired) -> list[Result]:
    try:
        wanted = await rights.needed_to_read(client, desired)
    except MemberError as error:
        return [failed_by(check, error, "to know the compiled kinds") for check in CHECKS[2:]]
    missing = await rights.missing_result(client, wanted, MemberCheck.VIEWER_RIGHTS, LABEL_AGGREGATE_VIEW)
    return [missing, await rights.beyond_reading_result(client, wanted)]
