"""C2SP tlog-policy files, as far as a quorum is a number of witnesses.

Rules: lines of ``log``, ``witness``, ``group`` and ``quorum``; comments with ``#``. A group whose members are
groups is refused: it says more than "so many of these". Only what the quorum names is taken over, all
witnesses for ``none``. Which log is read is configured elsewhere: ``log`` lines are only checked for form.

>>> key = "witness.example/w1+773a6c12+BMhTrQ8M0rYZrqks7sT9VqJNZJnVhM55JX5Fz9gTm2Cn"
>>> print(parse_policy(f"witness W1 {key} https://w1.example\\ngroup G all W1\\nquorum G\\n"))
1 of W1
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from reconciler.audit.codes import LogFormatError, WitnessPolicyError
from reconciler.audit.note import VerifierKey
from reconciler.audit.witness_policy import Witness, WitnessPolicy

MAX_POLICY = 64 << 10  # characters
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NONE = "none"


@dataclass(slots=True)
class _Reading:
    logs: set[bytes] = field(default_factory=set)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = ""

    def take(self, words: list[str]) -> None:
        """One line. Raises WitnessPolicyError or ValueError."""
        kind, *rest = words
        if kind == "log" and 1 <= len(rest) <= 2:
            self._log(*rest)
        elif kind == "witness" and 2 <= len(rest) <= 3:
            self._witness(*rest)
        elif kind == "group" and len(rest) >= 3:
            self._group(*rest)
        elif kind == "quorum" and len(rest) == 1 and not self.quorum:
            self.quorum = self._known(rest[0], {*self.witnesses, *self.groups, _NONE})
        else:
            raise ValueError("not a line of a policy, or a second quorum")

    def _log(self, vkey: str, _: str = "") -> None:
        key = VerifierKey.parse(vkey).public_key
        if key in self.logs:
            raise ValueError("the same log twice")
        self.logs.add(key)

    def _witness(self, name: str, vkey: str, url: str = "") -> None:
        self._new(name)
        self.witnesses[name] = Witness.of(vkey, url, name)

    def _group(self, name: str, count: str, *members: str) -> None:
        self._new(name)
        for member in members:
            self._known(member, set(self.witnesses))
        number = {"any": "1", "all": str(len(members))}.get(count, count)
        threshold = int(number) if re.fullmatch(r"[1-9][0-9]{0,3}", number) else 0
        if len(set(members)) < len(members) or not 1 <= threshold <= len(members):
            raise ValueError("a group's threshold is from 1 to the number of its members, each named once")
        self.groups[name] = (threshold, members)

    def _new(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise ValueError("a name that is taken")

    @staticmethod
    def _known(name: str, names: set[str]) -> str:
        if name not in names:
            raise ValueError(f"{name[:80]!r} is not defined above (groups cannot be nested)")
        return name

    def policy(self) -> WitnessPolicy:
        if not self.quorum:
            raise ValueError("no quorum line")
        WitnessPolicy(tuple(self.witnesses.values()))  # a key under two names would count twice
        every = (0, tuple(self.witnesses))
        of_one = (1, (self.quorum,))
        threshold, names = every if self.quorum == _NONE else self.groups.get(self.quorum, of_one)
        return WitnessPolicy(tuple(self.witnesses[name] for name in names), threshold)


def parse_policy(text: str) -> WitnessPolicy:
    """The policy of a tlog-policy file. Raises WitnessPolicyError, which names the line."""
    if len(text) > MAX_POLICY or _CONTROL.search(text):
        raise _error(0, "too long, or a control character in it")
    reading, number = _Reading(), 0
    try:
        for number, line in enumerate(text.split("\n"), 1):  # noqa: B007  it is told in the error
            words = re.findall(r"[^ \t]+", line)
            if words and not words[0].startswith("#"):
                reading.take(words)
        return reading.policy()
    except ValueError as error:
        raise _error(number, str(error)) from error
    except (LogFormatError, WitnessPolicyError) as error:
        raise _error(number, error.message) from error


def _error(number: int, message: str) -> WitnessPolicyError:
    return WitnessPolicyError(
        f"a witness policy cannot be read: {message}", where=f"line {number}" if number else "",
        expected="C2SP tlog-policy without nested groups",
    )  # fmt: skip
