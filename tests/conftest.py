"""Fixtures that every room's tests may use, and how Hypothesis looks for examples.

``make test`` tries the same examples every time, so that it says the same of the same code; ``make fuzz``
looks for new ones, many of them.
"""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("fixed")

pytest_plugins = ["sandbox_fixtures", "softhsm_fixtures", "secret_scan"]
