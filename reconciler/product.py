"""Where the product's own schemas, default gate, template and tools are.

A wheel carries them inside the package; a checkout has them at its top level. Nothing else in the
product knows the difference.
"""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def product_root() -> Path:
    """The folder that holds ``schemas/``, ``policies/``, ``template/`` and ``tools/``."""
    shipped = _PACKAGE / "_product"
    return shipped if shipped.is_dir() else _PACKAGE.parent
