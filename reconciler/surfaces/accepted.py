"""What this machine's log says of the fleet's history, where there is one to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.surfaces import signing

if TYPE_CHECKING:
    from reconciler.audit.state import LogState
    from reconciler.surfaces.wiring import Wiring


def last_accepted(wiring: Wiring) -> str | None:
    """The last accepted commit of this machine's log; None where no key is known, and so no log, here."""
    state = log_state(wiring)
    return state.accepted.commit if state and state.accepted else None


def log_state(wiring: Wiring) -> LogState | None:
    """What the log says; None where no key of it is known, as on a machine of a pull request."""
    settings = wiring.settings
    if not (settings.public_key or settings.public_file.exists() or signing.whereabouts(settings)):
        return None
    return wiring.log_view().state()
