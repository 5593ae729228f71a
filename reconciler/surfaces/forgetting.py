"""What the primary stored to log in to a member is taken away when the member goes.

Rules: what joining stored goes from wherever it is (``stores``); of other files that only this registration
names, regular ones inside the credentials folder go, never what a link leads to. It may be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.documents.joined import file_of
from reconciler.files import sync_folder
from reconciler.surfaces import stores

if TYPE_CHECKING:
    from reconciler.surfaces.settings import Settings
    from reconciler.surfaces.wiring import Wiring


async def forget_credentials(
    wiring: Wiring, name: str, paths: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(What was removed, why others stay), of the stores and of ``forget_files``; ``paths`` are only its.

    Raises CredentialLeftError, MemberError, SettingsError.
    """
    ours = file_of(name) in paths  # or another registration names it, too
    stored = await stores.forget(wiring, name) if ours else ()
    removed, left = forget_files(wiring.settings, paths)
    return (*stored, *removed), left


def forget_files(settings: Settings, paths: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(Removed, why others stay); ``paths`` are below the credentials folder, absent ones are neither.

    Raises CredentialLeftError.
    """
    removed, left = [], []
    root = settings.credentials.resolve()
    for path in paths:
        file = root / path
        staged = file.with_name(f".{file.name}.new")  # of a renewal that was killed
        if not file.parent.resolve().is_relative_to(root) or ".." in Path(path).parts:
            left.append(f"the credential {path} is outside of the credentials folder, and stays")
        elif file.is_symlink():
            left.append(f"the credential {path} is a link, and stays with what it leads to")
        elif file.is_file():
            _remove(file, staged)
            removed.append(path)
    return tuple(removed), tuple(left)


def _remove(*files: Path) -> None:
    from reconciler.pipeline.membership.codes import CODES
    from reconciler.pipeline.membership.refused import CredentialLeftError

    try:
        for file in files:
            file.unlink(missing_ok=True)
        sync_folder(files[0].parent)
    except OSError as error:
        raise CredentialLeftError(
            "a stored credential cannot be removed", got=error.strerror or "", where=str(files[0]),
            hint=CODES[CredentialLeftError.code][1],
        ) from error  # fmt: skip
