"""How much the reader takes before it says no. Every bound is checked before the work that it bounds."""

MAX_FILE_BYTES = 1 << 20  # one YAML or JSON file
MAX_FLEET_BYTES = 256 << 20  # all files of the fleet together
MAX_DOCUMENTS = 100_000  # in the whole fleet
MAX_DEPTH = 64  # mappings and lists inside one another
MAX_NODES = 250_000  # values in one file, after aliases are expanded
MAX_FINDINGS = 100  # findings shown of one file
MAX_SHOWN = 80  # characters of a value in a message
