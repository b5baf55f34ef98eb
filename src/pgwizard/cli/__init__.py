"""The command line: verbs, and the headless face. ``main`` is the entry point."""
