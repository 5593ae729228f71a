"""The use cases: check, propose, reconcile, status, trust. They decide; surfaces parse and print.

Import from the modules; this file loads nothing.
"""
