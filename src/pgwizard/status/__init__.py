"""Whether a release could be recovered, and to when: what is observed, and the verdict on it."""
