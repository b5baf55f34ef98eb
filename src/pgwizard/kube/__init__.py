"""One Kubernetes cluster: the ``Cluster`` protocol that everything above speaks, and the real client behind it."""
