"""The log in the formats of other people's tools: OCSF for a SIEM, JSON lines, CSV for a sheet.

``export`` streams: one bundle of entries and one body are in memory at a time, whatever the log's length.
Every kind of entry has its mapping in every format. Import from the modules; this package loads nothing.
"""
