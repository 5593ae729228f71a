"""Puts together what ``doctor`` is given. Unlike other commands it goes on where a part cannot be made."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import FleetwardError
from reconciler.surfaces import stores
from reconciler.surfaces.settings import GIT_LOG, S3_LOG
from reconciler.surfaces.signing import whereabouts
from reconciler.surfaces.wiring import Wiring, clock

if TYPE_CHECKING:
    from reconciler.audit.view import LogView
    from reconciler.pipeline.examining import ExaminePorts
    from reconciler.pipeline.examining_fleet import HostPorts


@dataclass(slots=True)
class ExaminingWiring(Wiring):
    """A Wiring for a machine on which anything may be wrong."""

    _believed: tuple[bytes, ...] | None = field(default=None, init=False)

    def hosts(self) -> HostPorts:
        """What belongs to this host."""
        from reconciler.pipeline.examining_fleet import HostPorts
        from reconciler.sandbox import binaries

        settings = self.settings
        in_folder = settings.log != GIT_LOG and not settings.log.startswith(S3_LOG)
        return HostPorts(
            state=settings.state,
            key_file=settings.key_file,
            key_elsewhere=whereabouts(settings) if settings.signing_key else "",
            credentials=settings.credentials,
            log_folder=Path(settings.log) if in_folder else None,
            opa_version=binaries.RECIPES["opa"].version,
            find_opa=lambda: binaries.find("opa"),
            open_checks=self.checks,
            open_log=self._log_if_known,
            find_secrets=partial(stores.stored_secrets, self),
            seal_keys=settings.seal_keys,
        )

    def examines(self) -> ExaminePorts:
        """How members are reached: also without a log, when no record is believed."""
        from reconciler.pipeline.examining import ExaminePorts

        return ExaminePorts(self._connect, partial(self._connect, viewer=True), clock)

    def believed_keys(self) -> tuple[bytes, ...]:
        """As in every run; none where the log or its key cannot be read, which is a result of its own."""
        if self._believed is None:
            try:
                self._believed = Wiring.believed_keys(self)
            except FleetwardError:
                self._believed = ()
        return self._believed

    def _log_if_known(self) -> LogView | None:
        settings = self.settings
        if not (settings.public_key or settings.public_file.exists() or whereabouts(settings)):
            return None
        return self.log_view()
