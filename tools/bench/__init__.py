"""Measurements, as ratios within one run: ``python -m tools.bench`` writes docs/benchmarks.md.

Absolute times belong to a machine and an hour; a ratio of two things measured in turn does not. Nothing here
is asserted: a test that depends on time fails on somebody else's machine.
"""
