"""Error text of pgBackRest, S3, PostgreSQL and Kubernetes becomes a cause and a fix. Pure.

``diagnose`` looks a text up, ``messages`` documents every message.
"""
