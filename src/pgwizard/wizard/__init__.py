"""Asking without widgets: a ``draft`` of answers, ``choices`` from the cluster, ``candidates`` for Secrets."""
