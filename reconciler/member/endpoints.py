"""The health of one member's API server URLs, and the order in which they are tried.

- The registered order, but a URL that failed a short while ago comes after the others: a run does not wait
  for its timeout again and again. It is still tried when all others fail.
- "A short while" is ``FIRST`` and doubles with each failure after it, up to ``LONGEST``. Requests that fail
  together are one failure. After that while one request tries the URL again; the others wait for how it ends.
- Any answer of a Kubernetes API server, a refusal too, makes a URL healthy.
- A failure from the future (a clock that was set back) holds nobody off.

>>> from datetime import UTC
>>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
>>> held = {"https://a": after_failure(EndpointHealth("https://a"), noon, "FW1702")}
>>> in_order(("https://a", "https://b"), held, noon + timedelta(minutes=4))
('https://b', 'https://a')
>>> in_order(("https://a", "https://b"), held, noon + FIRST)
('https://a', 'https://b')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.model import Clock

FIRST = timedelta(minutes=5)
LONGEST = timedelta(hours=1)
STALE = timedelta(minutes=1)  # a newer time of the last answer alone is not worth remembering


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One URL. Times are UTC; ``failures`` are in a row, 0 for healthy; ``code`` is of the last one."""

    url: str
    answered: datetime | None = None
    failed: datetime | None = None
    since: datetime | None = None  # when it began to be as it is now: healthy, or failing
    failures: int = 0
    code: str = ""

    @property
    def healthy(self) -> bool:
        """Whether the last request got an answer; one that was never asked is not known to be unhealthy."""
        return self.failures == 0


def pause(failures: int) -> timedelta:
    """How long a URL comes last after so many failures in a row.

    >>> [str(pause(n)) for n in (0, 1, 2, 99)]
    ['0:00:00', '0:05:00', '0:10:00', '1:00:00']
    """
    return min(LONGEST, FIRST * (1 << min(failures - 1, 16))) if failures > 0 else timedelta(0)


def held_off(health: EndpointHealth, now: datetime) -> bool:
    """Whether it comes last now."""
    failed = health.failed
    return not health.healthy and failed is not None and failed <= now < failed + pause(health.failures)


def after_answer(health: EndpointHealth, now: datetime) -> EndpointHealth:
    """It answered."""
    since = health.since if health.healthy and health.since else now
    return EndpointHealth(health.url, now, health.failed, since)


def after_failure(health: EndpointHealth, now: datetime, code: str) -> EndpointHealth:
    """It did not; while it is held off already that is no further failure."""
    if held_off(health, now):
        return replace(health, code=code)
    since = now if health.healthy else health.since
    return replace(health, failed=now, since=since, failures=min(health.failures + 1, 1000), code=code)


def in_order(urls: Sequence[str], health: Mapping[str, EndpointHealth], now: datetime) -> tuple[str, ...]:
    """All URLs, those held off last; otherwise as registered."""
    late = {url for url in urls if url in health and held_off(health[url], now)}
    return (*(url for url in urls if url not in late), *(url for url in urls if url in late))


class Endpoints:
    """The URLs of one member, for all its connections in one process. Not for more than one event loop."""

    def __init__(self, urls: Sequence[str], clock: Clock, known: Iterable[EndpointHealth] = ()) -> None:
        self.urls = tuple(dict.fromkeys(url.rstrip("/") for url in urls))
        self._clock = clock
        remembered = {one.url: one for one in known}
        self._before = {url: remembered.get(url, EndpointHealth(url)) for url in self.urls}
        self._health = dict(self._before)
        self._tried: set[str] = set()  # failing ones that one request tries again now

    def order(self) -> tuple[str, ...]:
        """In which order one request goes to them."""
        if len(self.urls) == 1:
            return self.urls
        chosen = in_order(self.urls, self._health, self._clock())
        busy = self._tried
        chosen = (*(u for u in chosen if u not in busy), *(u for u in chosen if u in busy))
        if not self._health[chosen[0]].healthy:
            self._tried.add(chosen[0])
        return chosen

    def answered(self, url: str) -> None:
        """An API server answered there."""
        self._tried.discard(url)
        self._health[url] = after_answer(self._health[url], self._clock())

    def failed(self, url: str, code: str) -> None:
        """No API server answered there."""
        self._tried.discard(url)
        self._health[url] = after_failure(self._health[url], self._clock(), code)

    @property
    def known(self) -> tuple[EndpointHealth, ...]:
        """What is known of each, in the registered order."""
        return tuple(self._health[url] for url in self.urls)

    @property
    def changed(self) -> bool:
        """Whether anything is known that is worth remembering."""
        return any(_differs(self._before[url], self._health[url]) for url in self.urls)


def _differs(before: EndpointHealth, now: EndpointHealth) -> bool:
    if replace(before, answered=None) != replace(now, answered=None):
        return True
    return now.answered is not None and (before.answered is None or now.answered - before.answered > STALE)
