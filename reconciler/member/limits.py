"""How much a member may cost: time, tries, connections and bytes.

>>> Limits(concurrency=8).tries
4
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one member; the defaults are the product's.

    ``apply_timeout`` bounds one whole operation (observe, apply), retries included.
    """

    request_timeout: timedelta = timedelta(seconds=10)  # one object
    list_timeout: timedelta = timedelta(seconds=60)  # one list, of up to max_list bytes
    apply_timeout: timedelta = timedelta(minutes=5)
    establish_timeout: timedelta = timedelta(seconds=30)  # a CRD, after it was accepted
    concurrency: int = 16  # connections, and so requests at a time; more only make an API server slower
    tries: int = 4  # rounds over all API servers
    backoff: timedelta = timedelta(milliseconds=250)  # first pause; doubles, with full jitter
    longest_pause: timedelta = timedelta(seconds=20)  # bounds Retry-After too
    max_object: int = 8 << 20  # bytes; etcd's own limit is 1.5 MiB
    max_list: int = 256 << 20  # bytes
