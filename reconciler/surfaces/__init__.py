"""How people and machines reach the use cases: settings, wiring, command line, output formats.

Nothing here decides anything; the only configuration and environment that the product reads is read here.
"""
