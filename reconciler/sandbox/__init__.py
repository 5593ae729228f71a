"""Real local control planes for demo, tests and benchmarks: one etcd, any number of API servers.

Import from the modules: ``local`` (``Sandbox``, ``up``, ``down``), ``binaries`` (``find``, ``ensure``).
This file imports nothing, because the gate asks ``binaries`` for OPA on every run and must not pay for
the certificates and processes of a sandbox that it never starts.
"""
