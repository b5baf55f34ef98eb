"""Bringing a release back: which backup and timeline lead to a moment (``target``), the restore in place (``run``), a
read-only server at that moment (``preview``), and a restore into a throw-away volume that proves it (``drill``).

It does not print or ask: a face shows the plan, confirms it, and reports the stages.
"""
