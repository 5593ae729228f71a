"""Which commit to hold a new one against, when nobody named one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.surfaces.wiring import Wiring


def last_accepted(wiring: Wiring) -> str | None:
    """The last accepted commit of this machine's log; None where there is no key, and so no log, here."""
    if not wiring.settings.signing_key and not wiring.settings.key_file.exists():
        return None
    accepted = wiring.log_view().state().accepted
    return accepted.commit if accepted else None
