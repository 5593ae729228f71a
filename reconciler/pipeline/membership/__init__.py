"""Who belongs to the fleet: promote a primary, make tokens, let clusters join.

``promoting`` and ``tokens`` are the administrator's side on the primary, ``door`` answers requests to join,
``enrolling`` is the cluster that joins. This file imports nothing.
"""
