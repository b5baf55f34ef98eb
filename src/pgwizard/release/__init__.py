"""One release in the cluster: its record, and the way of an apply, a backup and an uninstall."""
