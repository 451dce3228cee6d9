"""The verbs of the command line, one module a family; `dailyarb.cli` parses, these do."""
