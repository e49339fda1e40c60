"""The rules: no I/O, no third-party library with I/O, no clock."""
