"""Whether a release can be recovered, and to when. It changes nothing in the cluster.

``observe`` watches a release, ``snapshot`` holds what is known of it, ``verdict`` judges that, ``report`` formats it.
"""
