"""One release in the cluster: its record, and what changes it. It does not observe: ``status`` does.

``apply`` installs and upgrades, ``uninstall`` removes, ``records`` finds releases, ``backups`` runs their Jobs.
"""
