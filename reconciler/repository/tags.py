"""Signed annotated tags that carry a statement: raw bytes -> what was signed, and the signature.

Rules:
- The four headers of git-mktag in their order and nothing else, an empty line, one line of text, the
  signature.
- The tag points to a commit. The text is printable ASCII of at most 64 KiB, so there is only one way to say
  where it ends and the signature begins.
- ``payload`` is what git hands to the signing program: everything before the signature.

>>> raw = (b"object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\\ntype commit\\ntag t\\n"
...        b"tagger A <a@x> 0 +0000\\n\\n{}\\n-----BEGIN SSH SIGNATURE-----\\n...")
>>> tag = parse_tag("0" * 40, raw)
>>> tag.text, tag.signature
('{}', b'-----BEGIN SSH SIGNATURE-----\\n...')
"""

import re
from dataclasses import dataclass

from reconciler.repository.errors import MalformedObjectError

_TAG = re.compile(
    rb"(object ([0-9a-f]{40})\ntype commit\ntag [^\n\0]{1,250}\n"
    rb"tagger [^\n\0<>]* <[^\n\0<>]*> [0-9]{1,12} [+-][0-9]{4}\n"
    rb"\n([ -~]{1,65536})\n)(-----BEGIN [A-Z ]+-----\n.*)\Z",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SignedTag:
    """A tag object; nothing about it is trusted before its signature is verified."""

    id: str
    commit: str  # that it points to
    text: str
    payload: bytes
    signature: bytes


def parse_tag(oid: str, raw: bytes) -> SignedTag:
    """Parse the raw object. Raises MalformedObjectError."""
    match = _TAG.match(raw)
    if not match:
        hint = "make it with fleetward; a tag of another kind does not belong under refs/fleetward"
        raise MalformedObjectError("not a signed statement", where=f"tag {oid}", hint=hint)
    return SignedTag(oid, match[2].decode(), match[3].decode(), match[1], match[4])
