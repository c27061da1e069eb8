"""The command `score`: its arguments, result, tables, manifest and console."""
