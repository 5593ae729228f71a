"""Pure formatters: results in, text out. None prints, reads a clock or knows the terminal.

SARIF 2.1.0 for code scanning, JUnit XML for test reports, workflow commands for annotations, Markdown for
a pull request comment, JSON for programs and text for people.
"""
