"""A Kubernetes cluster in memory: the same protocol, and the same contract tests as the real client.

``cluster`` is the cluster, ``clock`` its time; tests also reach into the rest.
"""
