"""One Kubernetes cluster: the ``Cluster`` protocol that everything above speaks, and the real client behind it.

``api`` has the protocol, ``client`` connects to a real cluster, ``health`` tells how an object is doing.
"""
