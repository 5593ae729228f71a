r"""OpenSSH's allowed_signers file, read once to fill federation.yaml (ssh-keygen(1), ALLOWED SIGNERS).

A line is: principals, options or none, key type, base64, comment. Rules where ssh-keygen leaves room:
- Principals are exact names. Patterns ("*", "?", "!") are refused: who may sign is said name by name.
- Times end in "Z". Without it ssh-keygen means the zone of the machine that it runs on, so that the same file
  means different times on different machines: such a line is refused.
- ``valid-before`` is kept as the end of a half open window, one second stricter than ssh-keygen's.
- A line whose ``namespaces`` leave out "git" cannot sign commits: skipped, and reported.
- Option names in any case, as ssh-keygen takes them; each at most once; values in double quotes.
- Keys are those of ``sshkeys``; a line with DSA, short RSA or a certificate is refused.

Every line is read, and every problem reported with its line. With a problem anywhere there are no signers:
half a list is another list.

>>> key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMEx2+qqrzUe24XDqtihQLZ9o+a2PTXclHbyGgkO6CLT"
>>> text = f'# people\na@x,b@x valid-before="20270101Z" {key} laptop\nc@x namespaces="file" {key}\n'
>>> read = parse_allowed_signers(text)
>>> [(signer.line, signer.principals, signer.comment) for signer in read.signers]
[(2, ('a@x', 'b@x'), 'laptop')]
>>> read.skipped[0].source.line, read.skipped[0].message
(3, 'line is not for git and is left out')
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reconciler.errors import TrustError
from reconciler.model import Finding, Severity, SourceRef
from reconciler.trust.errors import SignerListError
from reconciler.trust.sshkeys import SshKey, parse_key_text

MAX_TEXT: Final = 4 << 20  # characters
MAX_LINES: Final = 20_000
_NAMESPACE = "git"
_SPACE = " \t"
_PRINCIPALS = re.compile(r'(?:"([^"]*)"|([^\s"]+))[ \t]+')
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\"|\\(?!"))*)")?(,|[ \t]+)')
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?Z", re.ASCII)
_AUTHORITY, _NAMESPACES, _AFTER, _BEFORE = "cert-authority", "namespaces", "valid-after", "valid-before"
_KEY_STARTS = ("ssh-", "ecdsa-", "sk-")
_PATTERN_HINT = "write each name out; for an authority, give the signers their principals in federation.yaml"


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line: who may sign with ``key``, or for whom it may issue certificates.

    The window is [valid_after, valid_before), UTC.
    """

    line: int
    principals: tuple[str, ...]
    key: SshKey
    key_text: str  # "TYPE BASE64"
    is_authority: bool
    valid_after: datetime | None
    valid_before: datetime | None
    comment: str


@dataclass(frozen=True, slots=True)
class AllowedSigners:
    """What a file says. ``skipped`` are warnings; with ``problems`` there are no ``signers``."""

    signers: tuple[AllowedSigner, ...]
    skipped: tuple[Finding, ...]
    problems: tuple[Finding, ...]


class _LineError(ValueError):
    """(message, expected, got, hint) of a line that cannot be used."""

    def __init__(self, message: str, *, expected: str = "", got: str = "", hint: str = "") -> None:
        super().__init__(message, expected, got[:120], hint)


class _NotForGit(Exception):  # noqa: N818  no error: the line is good, for something else
    pass


def parse_allowed_signers(text: str, path: str = "allowed_signers") -> AllowedSigners:
    """Read a whole file; ``path`` is how findings call it. Raises SignerListError when it is too large."""
    lines = text.split("\n") if len(text) <= MAX_TEXT else []
    if not lines or len(lines) > MAX_LINES:
        expected = f"at most {MAX_LINES} lines and {MAX_TEXT} characters"
        raise SignerListError("list of allowed signers is too long", expected=expected, where=path)
    signers, skipped, problems = list[AllowedSigner](), list[Finding](), list[Finding]()
    for number, line in enumerate(lines, 1):
        content = line.strip(_SPACE + "\r")
        if not content or content.startswith("#"):
            continue
        try:
            signers.append(_line(number, content))
        except _NotForGit as other:
            skipped.append(_skipped(SourceRef(path, number), str(other)))
        except _LineError as error:
            problems.append(_problem(SourceRef(path, number), *error.args))
    return AllowedSigners(() if problems else tuple(signers), tuple(skipped), tuple(problems))


def _line(number: int, line: str) -> AllowedSigner:
    if not line.replace("\t", " ").isprintable():
        raise _LineError("line has characters that cannot be shown")
    start = _PRINCIPALS.match(line)
    if not start:
        raise _LineError("line is not complete", expected="principals, options, key type, key")
    principals, rest = _principals(start[1] or start[2] or ""), line[start.end() :]
    options, key_text = ({}, rest) if _is_key(rest) else _options(rest)
    key, comment = _key(key_text), key_text.split(None, 2)[2:]
    _check_namespaces(options)
    after, before = _time(options, _AFTER), _time(options, _BEFORE)
    if after and before and before <= after:
        raise _LineError("window is empty", expected="valid-after before valid-before")
    plain = " ".join(key_text.split(None, 2)[:2])
    return AllowedSigner(
        number, principals, key, plain, _AUTHORITY in options, after, before, "".join(comment)
    )


def _principals(field: str) -> tuple[str, ...]:
    names = tuple(field.split(","))
    for name in names:
        if not name or name.strip() != name:
            raise _LineError("a principal is empty, or has space around it", got=repr(field))
        if name.startswith("!") or "*" in name or "?" in name:
            raise _LineError("principal is a pattern", expected="a name", got=repr(name), hint=_PATTERN_HINT)
    return names


def _is_key(rest: str) -> bool:
    """ssh-keygen's own order: what can be read as a key is one, whatever else could begin like it."""
    try:
        parse_key_text(rest)
    except TrustError:
        return False
    return True


def _options(rest: str) -> tuple[dict[str, str], str]:
    """(options by lower-case name, what follows them)."""
    found: dict[str, str] = {}
    more, at = True, 0
    while more:
        option = _OPTION.match(rest, at)
        name = option[1].lower() if option else ""
        if not option or name not in (_AUTHORITY, _NAMESPACES, _AFTER, _BEFORE):
            if rest.startswith(_KEY_STARTS, at):
                _key(rest[at:])  # says what is wrong with it
            raise _LineError("neither an option nor a key", got=repr(rest[at : at + 40]))
        if name in found or (option[2] is None) != (name == _AUTHORITY):
            raise _LineError("option is given twice, or without its quotes", got=repr(option[0].strip()))
        found[name] = (option[2] or "").replace('\\"', '"')
        more, at = option[3] == ",", option.end()
    return found, rest[at:]


def _key(text: str) -> SshKey:
    try:
        return parse_key_text(text)
    except TrustError as error:
        raise _LineError(error.message, expected=error.expected, got=error.got, hint=error.hint) from error


def _check_namespaces(options: dict[str, str]) -> None:
    if _NAMESPACES in options and not _matches(_NAMESPACE, options[_NAMESPACES]):
        raise _NotForGit(options[_NAMESPACES])


def _matches(name: str, patterns: str) -> bool:
    """As ssh_config(5), PATTERNS: one that is negated and matches decides."""
    matched = False
    for pattern in patterns.split(","):
        glob = re.escape(pattern.removeprefix("!")).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(glob, name):
            if pattern.startswith("!"):
                return False
            matched = True
    return matched


def _time(options: dict[str, str], name: str) -> datetime | None:
    if name not in options:
        return None
    written = _TIME.fullmatch(options[name])
    try:
        if written:
            year, month, day, hour, minute, second = (int(part or 0) for part in written.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        pass  # the 30th of February
    hint = "without the Z it would mean another time on another machine"
    raise _LineError(f"{name} is no time", expected="YYYYMMDD[HHMM[SS]]Z", got=repr(options[name]), hint=hint)


def _skipped(source: SourceRef, namespaces: str) -> Finding:
    message, got = "line is not for git and is left out", repr(namespaces)[:120]
    return Finding(SignerListError.code, message, source, Severity.WARNING, expected="git", got=got)


def _problem(source: SourceRef, message: str, expected: str, got: str, hint: str) -> Finding:
    return Finding(SignerListError.code, message, source, expected=expected, got=got, hint=hint)
