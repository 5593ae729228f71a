"""The audit trail: a tamper-evident log that other people's tools can verify.

``Log`` is the room's front; ``entry`` has what goes in, ``state`` what comes out; ``store_directory`` and
``store_git`` keep it; ``merkle``, ``tiles``, ``note``, ``checkpoint`` and ``proof`` are the formats. Import
from the modules; this package itself loads nothing.
"""
