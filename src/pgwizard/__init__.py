"""pgwizard: from an empty namespace and a bucket to a PostgreSQL whose backups are proven to work."""

__version__ = "0.1.0"
