"""Versions of Kubernetes, as API servers and registrations say them. Pure."""

from __future__ import annotations

import re

OLDEST = (1, 30)  # ValidatingAdmissionPolicy v1, which the guard is made of
_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})")


def minor(version: str) -> tuple[int, ...]:
    """(1, 36) of "v1.36.3" or "1.36"; () of anything else.

    >>> minor("v1.36.3-gke.1"), minor("x")
    ((1, 36), ())
    """
    match = _VERSION.match(version)
    return (int(match[1]), int(match[2])) if match else ()
