"""Fixtures that every room's tests may use."""

pytest_plugins = ["sandbox_fixtures", "softhsm_fixtures", "secret_scan"]
