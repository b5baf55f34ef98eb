"""This machine's disk and environment: files that answers name, output, and autosaved drafts."""
