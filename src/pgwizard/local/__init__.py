"""This machine's disk and environment: ``inputs`` that answers name, output ``files``, and ``autosave`` of drafts."""
