"""A Kubernetes cluster in memory: the same protocol, and the same contract tests as the real client."""
