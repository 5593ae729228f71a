"""One cluster: observe it, apply an authorized change set to it, keep its signed record.

Import from the modules: ``client`` (``Member``), ``credentials`` (``credential_source``), ``bootstrap`` and
``guard`` (what a member needs), ``health``, ``breaker``, ``errors``. This file imports nothing, because
``fleetward --help`` must not load aiohttp.
"""
