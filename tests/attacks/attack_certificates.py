"""A fleet with an SSH authority: erin signs with certificates that name her, and has no other key."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from attack_kit import Fleet
from cert_forge import Workshop, signed, text

LONG = ("-V", "20200101000000:21000101000000")


class Certified:
    """The authority ``ca``, its revocation list (empty at first) and a fleet that lists both."""

    def __init__(self, root: Path, make: Callable[..., Fleet], *revoked: str, krl: bool = True) -> None:
        root.mkdir()
        self.shop = Workshop(root)
        self.ca = self.shop.key("ca")
        self.other = self.shop.key("other-ca")
        self.key = self.shop.key("erin")
        authority = self.authority(*revoked) if krl else {**self.authority(), "krl": ""}
        people = [
            {"name": "erin", "principals": ["erin"]},
            {"name": "root", "roles": ["security"], "principals": ["root"]},
        ]
        self.more = people
        self.fleet = make(more=lambda _repo: people, authorities=[authority])

    def authority(self, *revoked: str, number: int = 1) -> dict[str, object]:
        """The authority as federation.yaml lists it, with these lines of a revocation list."""
        krl = self.shop.krl(
            f"krl{number}", "".join(f"{line}\n" for line in revoked), f"{self.ca}.pub", number
        )
        return {"name": "people", "ssh": text(self.ca), "krl": base64.b64encode(krl.read_bytes()).decode()}

    def two(self) -> str:
        """The root's next version, with a second authority, which may speak for temp alone; the commit."""
        people = [
            {"name": "erin", "principals": [{"name": "erin", "authority": "people"}]},
            {"name": "temp", "principals": [{"name": "temp", "authority": "contractors"}]},
        ]
        contractors = {"name": "contractors", "ssh": text(self.other), "revocation": "none"}
        root = self.fleet.federation(more=people, version=2, authorities=[self.authority(), contractors])
        self.fleet.repo.commit({"federation.yaml": root})
        return self.fleet.accepted()

    def certificate(self, *options: str, principals: str = "erin", ca: Path | None = None) -> Path:
        """A certificate over erin's key; its path."""
        named = ("-n", principals) if principals else ()
        return self.shop.certificate(ca or self.ca, self.key, "erin-signs", *named, *(options or LONG))

    def commit(self, certificate: Path) -> str:
        """Main moved to a commit signed with it."""
        payload = self.fleet.payload(name="erin")
        return self.fleet.forge_commit(payload, signed(certificate, payload))
