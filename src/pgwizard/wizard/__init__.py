"""Asking without widgets: a draft of answers, choices from the cluster, and candidates for Secrets."""
