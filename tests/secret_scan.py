"""A secret that leaks fails the test that made it: what all tests of the suite are watched for.

After every test two questions are asked. Which secrets are there (``secret_places``: the credential places
below the test's ``tmp_path`` and below the folders that its session shares; and what ``learn`` was told)? And
is one of them anywhere else (``secret_forms`` says in which forms)?

- in what the test printed: stdout, stderr, log records, failures; what ``capsys`` took away;
- in the text of an exception that ``pytest.raises`` caught;
- in what a program printed that was run with ``subprocess`` and whose output was captured; the commands whose
  very output is a secret (``PRINTING``) are learned from instead;
- in any file or Git object below ``tmp_path``.

Folders of the session (servers' logs, Kubernetes audit logs, caches) are searched once, at its end, for every
secret that was ever learned. A test that leaks fails with file and kind; what it printed is shown without the
secret. What was too large to be searched is listed at the end.

Kits tell of secrets that are in no file, and of output that they read themselves:

>>> import secret_scan
>>> secret_scan.learn("correct horse battery staple", "password")
>>> secret_scan.saw("nothing of it", "a program")

With ``pytest -n`` every worker watches the tests that it runs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from secret_forms import Index, Secret, secrets_of
from secret_places import Walk, contents, walk

_MAX_PLACE = 1 << 20  # bytes that are learned from
_MAX_TEXT = 16 << 20  # characters of output that are kept for a test
# What is printed there is asked for: (program, words that it begins with or has).
PRINTING = (("fleetward", ("token", "create")), ("fleetward", ("kubeconfig", "--out", "-")))


@dataclass
class Watch:
    """What is known in this process. ``own`` belongs to the running test, ``shared`` to the session."""

    own: Index = field(default_factory=Index)
    shared: Index = field(default_factory=Index)
    all: dict[bytes, Secret] = field(default_factory=dict)
    texts: list[tuple[str, str]] = field(default_factory=list)
    kept: int = 0
    skipped: list[str] = field(default_factory=list)
    looked: set[Path] = field(default_factory=set)  # folders of tests
    learned: dict[Path, tuple[int, int]] = field(default_factory=dict)  # places, as they were

    def learn(self, secret: Secret, *, shared: bool = False) -> None:
        """Look for it from now on, in this test or in all of them."""
        if secret.core not in self.shared.secrets and (self.shared if shared else self.own).add(secret):
            self.all[secret.core] = secret

    def saw(self, text: str | bytes, where: str) -> None:
        """Output that pytest does not capture."""
        told = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
        if self.kept + len(told) <= _MAX_TEXT:
            self.texts.append((where, told))
            self.kept += len(told)
        elif told:
            self.skipped.append(f"{where}: more than {_MAX_TEXT} characters of output in one test")

    def find(self, data: bytes) -> list[Secret]:
        return self.own.find(data) + self.shared.find(data)

    def learn_from(self, root: Path, *, shared: bool) -> Walk:
        """Learn from the credential places below ``root``."""
        found = walk(root)
        for path in found.places:
            try:
                facts = path.stat()
                if self.learned.get(path) != (facts.st_mtime_ns, facts.st_ino):
                    for secret in secrets_of(path.open("rb").read(_MAX_PLACE)):
                        self.learn(Secret(f"{secret.kind} of {path.name}", secret.core), shared=shared)
                    self.learned[path] = facts.st_mtime_ns, facts.st_ino
            except OSError:
                continue
        return found

    def search(self, found: Walk, index: Callable[[bytes], list[Secret]]) -> list[str]:
        """What leaked into a folder."""
        told = [f"{secret.kind} is in {where}" for where, data in contents(found) for secret in index(data)]
        self.skipped += found.skipped
        return told

    def begin(self) -> None:
        """The next test."""
        self.own, self.texts, self.kept = Index(), [], 0


_WATCH = Watch()


def learn(secret: str | bytes, kind: str, *, shared: bool = False) -> None:
    """Have a secret looked for until the end of this test; ``shared``: of all tests that follow.

    A token (JWT) or key is recognized; any other text of 16 bytes and more is taken as it is.
    """
    data = secret.encode() if isinstance(secret, str) else secret
    known = [one for one in secrets_of(data) if one.kind != "secret of one line"] or [Secret(kind, data)]
    for one in known:
        _WATCH.learn(Secret(kind, one.core), shared=shared)


def saw(text: str | bytes, where: str) -> None:
    """Have output searched at the end of this test, too; ``where`` is what a finding says."""
    _WATCH.saw(text, where)


# --- what pytest does not see by itself ----------------------------------------------------------


def _after(owner: Any, name: str, see: Callable[..., None]) -> Callable[[], None]:
    """Call ``see(result, *arguments)`` after a method of pytest's or Python's own; how to undo that."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        see(result, *arguments)
        return result

    setattr(owner, name, wrapped)
    return lambda: setattr(owner, name, original)


def _communicated(result: Any, process: subprocess.Popen[Any], *_: Any) -> None:
    words = [str(word) for word in process.args] if isinstance(process.args, list | tuple) else []
    name = Path(words[0]).name if words else "a program"
    out, err = result
    if any(name == program and set(said) <= set(words) for program, said in PRINTING):
        for secret in secrets_of(out.encode() if isinstance(out, str) else out or b""):
            _WATCH.learn(Secret(f"{secret.kind} that {name} printed", secret.core))
        out = ""
    for text, stream in ((out, "stdout"), (err, "stderr")):
        if text:
            _WATCH.saw(text, f"{stream} of `{' '.join([name, *words[1:3]])[:60]}`")


def _captured(result: Any, *_: Any) -> None:
    _WATCH.saw(str(result.out), "stdout")
    _WATCH.saw(str(result.err), "stderr")


def _caught(_result: Any, _context: Any, _kind: Any = None, error: Any = None, *_: Any) -> None:
    if isinstance(error, BaseException):
        _WATCH.saw(f"{error}\n{error!r}", f"the text of {type(error).__name__}")


def pytest_configure(config: pytest.Config) -> None:
    undo = [
        _after(subprocess.Popen, "communicate", _communicated),
        _after(pytest.CaptureFixture, "readouterr", _captured),
        _after(pytest.RaisesExc, "__exit__", _caught),
    ]
    for one in undo:
        config.add_cleanup(one)


# --- after every test, and after all of them -----------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    _WATCH.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    try:
        leaks = _looked_for(item, report)
    except Exception as error:  # of one test, not the end of all
        leaks = [f"the search itself failed: {type(error).__name__}: {str(error)[:200]!a}"]
    if leaks:
        _fail(report, leaks)
    return report  # type: ignore[return-value]


def _looked_for(item: pytest.Item, report: pytest.TestReport) -> list[str]:
    folder = (getattr(item, "funcargs", None) or {}).get("tmp_path")
    found = _learn(item, folder, report)
    leaks = _leaks(report)
    if report.when == "teardown":
        leaks += [f"{s.kind} is in {where}" for where, text in _WATCH.texts for s in _find(text)]
        leaks += _WATCH.search(found, _WATCH.find)
    return leaks


def _learn(item: pytest.Item, folder: Path | None, report: pytest.TestReport) -> Walk:
    if report.when != "teardown" and not report.failed and not report.sections:
        return Walk()  # nothing to be searched yet
    if folder is not None:
        _WATCH.looked.add(folder)
    if item.get_closest_marker("real"):
        for root in _session_folders(item.config):
            _WATCH.learn_from(root, shared=True)
    return Walk() if folder is None else _WATCH.learn_from(folder, shared=False)


def _session_folders(config: pytest.Config) -> list[Path]:
    factory = getattr(config, "_tmp_path_factory", None)
    base = factory and factory.getbasetemp()
    # A test's own folder is named after it.
    return [path for path in base.iterdir() if not path.name.startswith("test_")] if base else []


def _find(text: str) -> list[Secret]:
    return _WATCH.find(text.encode("utf-8", "surrogatepass"))


def _leaks(report: pytest.TestReport) -> list[str]:
    places = [*report.sections, ("the failure", report.longreprtext)]
    return [f"{secret.kind} is in {name}" for name, text in places for secret in _find(text)]


def _fail(report: pytest.TestReport, leaks: list[str]) -> None:
    """The report fails, and shows nothing of what leaked."""
    said = [report.longreprtext] if report.failed else []
    lines = [*said, "a secret leaked:", *(f"- {line}" for line in dict.fromkeys(leaks))]
    report.outcome = "failed"
    report.longrepr = _redacted("\n".join(lines))
    report.sections = [(name, _redacted(text)) for name, text in report.sections]


def _redacted(text: str) -> str:
    return _WATCH.shared.redact(_WATCH.own.redact(text))


@pytest.fixture(scope="session", autouse=True)
def _secrets_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """First to begin and last to end: servers have stopped, and their logs are whole."""
    yield
    index, leaks = Index(_WATCH.all.values()), []
    for folder in tmp_path_factory.getbasetemp().iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder not in _WATCH.looked:
            found = _WATCH.learn_from(folder, shared=True)
            leaks += _WATCH.search(found, lambda data: index.find(data) or _WATCH.shared.find(data))
    if leaks:
        lines = "\n".join(f"- {line}" for line in dict.fromkeys(leaks))
        pytest.fail(f"a secret leaked into what tests share:\n{lines}", pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in dict.fromkeys(_WATCH.skipped):
        terminalreporter.write_line(f"not searched for secrets: {line}")
