"""The command line: one module per noun, each a group of verbs."""
