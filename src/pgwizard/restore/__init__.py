"""Bringing a release back: which backup and timeline lead to a moment (``target``), and the restore (``run``).

It restores in place. It does not print or ask: a face shows the plan, confirms it, and reports the stages.
"""
