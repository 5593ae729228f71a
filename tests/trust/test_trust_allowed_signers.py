"""allowed_signers files: what they mean to us, and to ``ssh-keygen -Y verify``."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cert_forge as certs
import pytest
import ssh_forge as forge
from cert_forge import Workshop
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import TrustError
from reconciler.model import Severity
from reconciler.trust.allowed_signers import (
    MAX_LINES,
    MAX_TEXT,
    AllowedSigner,
    AllowedSigners,
    parse_allowed_signers,
)
from reconciler.trust.errors import SignerListError
from reconciler.trust.sshkeys import parse_key

KEY = forge.ed25519().text
CA = certs.authority().text
MESSAGE = b"message\n"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def only(line: str) -> AllowedSigner:
    found = parse_allowed_signers(line + "\n")
    assert not found.problems and not found.skipped
    (signer,) = found.signers
    return signer


def test_a_whole_file() -> None:
    found = parse_allowed_signers(
        f"# people\n\nalice@x,bob@x {KEY} a laptop  of hers\n \t# indented\n"
        f'"carol@x" namespaces="file" {KEY}\r\n'
        f'team@x CERT-authority,Namespaces="git,file",valid-after="20260101Z" {CA}\r\n',
        "trust/allowed",
    )
    assert [signer.line for signer in found.signers] == [3, 6]
    people, team = found.signers
    assert (people.principals, people.is_authority) == (("alice@x", "bob@x"), False)
    assert (people.key_text, people.comment) == (KEY, "a laptop  of hers")
    assert people.key == parse_key(forge.ed25519().blob)
    assert (team.principals, team.is_authority, team.key_text) == (("team@x",), True, CA)
    assert (team.valid_after, team.valid_before) == (datetime(2026, 1, 1, tzinfo=UTC), None)
    (skipped,) = found.skipped
    assert (str(skipped.source), skipped.severity) == ("trust/allowed:5", Severity.WARNING)
    assert "file" in skipped.got


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20260501Z", datetime(2026, 5, 1, tzinfo=UTC)),
        ("202605011200Z", NOON),
        ("20260501120030Z", NOON + timedelta(seconds=30)),
    ],
)
def test_times(written: str, expected: datetime) -> None:
    assert only(f'a valid-after="{written}" {KEY}').valid_after == expected
    assert only(f'a valid-before="{written}" {KEY}').valid_before == expected


@pytest.mark.parametrize(
    ("namespaces", "for_git"),
    [
        ("git", True), ("file,git", True), ("*", True), ("g?t", True), ("gi*,!file", True), ("g*i*t", True),
        ("file", False), ("", False), ("!git,*", False), ("*,!g*", False), ("git ", False), ("GIT", False),
        ("[g]it", False), ("g?", False), ("!file", False),
    ],
)  # fmt: skip
def test_namespaces_are_those_of_ssh_keygen(workshop: Workshop, namespaces: str, for_git: bool) -> None:
    line = f'alice namespaces="{namespaces}" {certs.text(workshop.folder / "alice")}'
    found = parse_allowed_signers(line)
    assert (len(found.signers), len(found.skipped), len(found.problems)) == (for_git, not for_git, 0)
    assert ssh_accepts(workshop, line) == for_git


PROBLEMS: dict[str, tuple[str, str]] = {
    "wildcard": (f"*@x {KEY}", "a pattern"),
    "wildcard among others": (f"a@x,*@x {KEY}", "a pattern"),
    "question mark": (f"a?@x {KEY}", "a pattern"),
    "negation": (f"a@x,!b@x {KEY}", "a pattern"),
    "wildcard for an authority": (f"* cert-authority {CA}", "a pattern"),
    "empty principal": (f"a@x,,b@x {KEY}", "empty"),
    "nobody": (f'"" {KEY}', "empty"),
    "space in a principal": (f'"a@x, b@x" {KEY}', "space around"),
    "a principal only": ("alice", "not complete"),
    "quote left open": (f'"alice {KEY}', "not complete"),
    "no key": ("alice ssh-ed25519", "not a public key"),
    "no key after options": ("alice cert-authority", "neither"),
    "key first": (KEY, "neither"),
    "unknown option": (f"alice no-touch-required {KEY}", "neither an option nor a key"),
    "unknown second option": (f"alice cert-authority,x {KEY}", "neither an option nor a key"),
    "comma at the end": (f"alice cert-authority, {KEY}", "neither an option"),
    "option with a value too many": (f'alice cert-authority="yes" {KEY}', "without its quotes"),
    "option without a value": (f"alice namespaces {KEY}", "without its quotes"),
    "option without quotes": (f"alice namespaces=git {KEY}", "neither an option"),
    "escaped end": (f'alice namespaces="git\\" {KEY}', "neither an option"),
    "option twice": (f'alice namespaces="git",NAMESPACES="git" {KEY}', "given twice"),
    "time of the machine": (f'alice valid-after="20260501" {KEY}', "no time"),
    "time with a zone": (f'alice valid-after="20260501120000+0200" {KEY}', "no time"),
    "30th of February": (f'alice valid-before="20260230Z" {KEY}', "no time"),
    "hours only": (f'alice valid-before="2026050112Z" {KEY}', "no time"),
    "year 0": (f'alice valid-before="00000101Z" {KEY}', "no time"),
    "other digits": ('alice valid-before="\u0662\u0660260501Z" ' + KEY, "no time"),
    "no window": (f'alice valid-after="20260501Z",valid-before="20260501Z" {KEY}', "window is empty"),
    "DSA": ("alice ssh-dss AAAAB3NzaC1kc3MAAAABAQ==", "key type"),
    "certificate": (f"alice {certs.certificate(forge.ed25519(), certs.authority()).text}", "certificates"),
    "short RSA": (f"alice {forge.rsa_key(1024).text}", "RSA key size"),
    "another type": (f"alice ssh-rsa {KEY.split()[1]}", "contradicts"),
    "escape": (f"alice\x1b[2J {KEY}", "cannot be shown"),
    "line separator": (f"alice\u2028 {KEY}", "cannot be shown"),
    "zero byte": (f"alice {KEY}\0", "cannot be shown"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_problem_names_its_line(name: str) -> None:
    line, message = PROBLEMS[name]
    found = parse_allowed_signers(f"good@x {CA}\n# people\n{line}\n", "trust/allowed")
    (problem,) = found.problems
    assert str(problem.source) == "trust/allowed:3" and problem.code == "FW1209"
    assert message in problem.message
    assert f"{problem.message}{problem.got}{problem.expected}{problem.hint}".isprintable()
    assert found.signers == ()  # half a list is another list


def test_all_problems_are_reported() -> None:
    text = "\n".join(line for line, _ in PROBLEMS.values())
    assert [f.source and f.source.line for f in parse_allowed_signers(text).problems] == [
        *range(1, len(PROBLEMS) + 1)
    ]


@pytest.mark.parametrize("text", ["a" * (MAX_TEXT + 1), "\n" * MAX_LINES])
def test_files_are_bounded(text: str) -> None:
    with pytest.raises(SignerListError, match="FW1209: allowed_signers:"):
        parse_allowed_signers(text)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("allowed"))
    made.key("alice")
    (made.folder / "sig").write_bytes(certs.signed(made.folder / "alice", MESSAGE))
    return made


def ssh_accepts(workshop: Workshop, line: str, at: datetime = NOON) -> bool:
    workshop.allowed("list", line)
    command = ["ssh-keygen", "-Y", "verify", "-f", "list", "-I", "alice", "-n", "git", "-s", "sig"]
    time = f"-Overify-time={at:%Y%m%d%H%M%S}"
    return b"Good" in certs.run(*command, time, stdin=MESSAGE, cwd=workshop.folder, code=None)


def we_accept(found: AllowedSigners, key: Path, at: datetime = NOON) -> bool:
    """By what an import would put into federation.yaml."""
    return any(
        signer.key.blob == certs.wire(key)
        and not signer.is_authority
        and "alice" in signer.principals
        and (signer.valid_after is None or signer.valid_after <= at)
        and (signer.valid_before is None or at < signer.valid_before)
        for signer in found.signers
    )


SECOND = timedelta(seconds=1)
LINES: dict[str, Callable[[str], str]] = {
    "plain": lambda key: f"alice {key}",
    "several": lambda key: f"bob,alice,carol {key} comment",
    "quoted": lambda key: f'"bob,alice" {key}',
    "tabs": lambda key: f"alice\t{key}",
    "indented": lambda key: f"  alice {key}",
    "CRLF": lambda key: f"alice {key}\r",
    "upper case option": lambda key: f'alice NAMESPACES="git" {key}',
    "two options": lambda key: f'alice valid-after="20200101",namespaces="git" {key}'.replace(
        "0101", "0101Z"
    ),
    "not an authority": lambda key: f"alice cert-authority {key}",
    "another": lambda key: f"bob {key}",
    "case of the name": lambda key: f"Alice {key}",
    "commented out": lambda key: f"#alice {key}",
    "from now on": lambda key: f'alice valid-after="20260501120000Z" {key}',
    "from then on": lambda key: f'alice valid-after="20260501120001Z" {key}',
    "until before": lambda key: f'alice valid-before="20260501115959Z" {key}',
    "until now": lambda key: f'alice valid-before="20260501120000Z" {key}',
    "until then": lambda key: f'alice valid-before="20260501120001Z" {key}',
    "wildcard": lambda key: f"ali* {key}",
    "negated": lambda key: f"alice,!bob {key}",
    "empty name": lambda key: f"alice,,bob {key}",
    "local time": lambda key: f'alice valid-after="20200101" {key}',
    "quote within": lambda key: f'ali"ce" {key}',
    "cert-authority twice": lambda key: f"alice cert-authority,cert-authority {key}",
    "no window": lambda key: f'alice valid-after="20300101Z",valid-before="20200101Z" {key}',
    "unknown option": lambda key: f"alice no-touch-required {key}",
    "option without quotes": lambda key: f"alice namespaces=git {key}",
    "options apart": lambda key: f'alice namespaces="git", valid-after="20200101Z" {key}',
    "quote left open": lambda key: f'alice namespaces="git {key}',
}
STRICTER = {
    "until now": "valid-before is the end of a half open window, not its last second",
    "wildcard": "principals are exact names",
    "negated": "principals are exact names",
    "empty name": "an empty name is nobody's",
    "quote within": "a quote stands at both ends of all principals",
    "local time": "a time has to mean the same on every machine",
}


@pytest.mark.parametrize("name", LINES)
def test_what_we_import_ssh_keygen_accepts(workshop: Workshop, name: str) -> None:
    key = workshop.folder / "alice"
    line = LINES[name](certs.text(key))
    we, they = we_accept(parse_allowed_signers(line), key), ssh_accepts(workshop, line)
    assert we == they or (they and name in STRICTER), f"ssh-keygen {they}, we {we}"
    assert (name in STRICTER) == (they and not we), "the table is out of date"


GOOD = (
    f'# people\na@x,"b" {KEY}\n'
    f'"c,d@x" namespaces="git",valid-after="20260101Z",valid-before="20270101000000Z" {CA} laptop\n'
    f"e cert-authority {CA}\n"
)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(GOOD)), st.text(max_size=5), st.integers(0, 8))
def test_almost_good_files(at: int, insert: str, cut: int) -> None:
    found = parse_allowed_signers(GOOD[:at] + insert + GOOD[at + cut :])
    assert not (found.signers and found.problems)
    for signer in found.signers:
        assert signer.principals and all(name.isprintable() for name in signer.principals)
        assert only(f"x {signer.key_text}").key == signer.key


@settings(deadline=None)
@given(st.text(max_size=200))
def test_files_of_anything(text: str) -> None:
    for written in (
        text,
        f"alice {text} {KEY}",
        f'alice namespaces="{text}" {KEY}',
        f'a valid-after="{text}" {KEY}',
    ):
        try:
            parse_allowed_signers(written)
        except TrustError as error:
            assert str(error).isprintable()
