"""What each version of pgBackRest knows: its options, and the PostgreSQL versions it can read.

Sources: the release notes, and the ``help`` of 2.45 for the options that need no newer one. An unknown option
counts as a slip.
"""

from __future__ import annotations

import re

Version = tuple[int, ...]

POSTGRESQL_SINCE: dict[int, Version] = {16: (2, 46), 17: (2, 53, 1), 18: (2, 55)}
COMPRESSION_SINCE: dict[str, Version] = {"lz4": (2, 25), "zst": (2, 27), "bz2": (2, 28)}
HTTP_SINCE: Version = (2, 58)
DOTTED_BUCKET_SINCE: Version = (2, 58)
BLOCK_SINCE: Version = (2, 52, 1)
BUNDLE_SINCE: Version = (2, 39)
QUEUE_MAX_BYTES = 4 * 1024**5
PROCESS_MAX = 999

_NEWER: dict[str, Version] = {
    "repo-block": (2, 46),
    "repo-storage-tag": (2, 48),
    "repo-storage-upload-chunk-size": (2, 41),
    "annotation": (2, 41),
    "repo-bundle": BUNDLE_SINCE,
    "repo-bundle-limit": BUNDLE_SINCE,
    "repo-bundle-size": BUNDLE_SINCE,
    "repo-target-time": (2, 54),
    "repo-symlink": (2, 57),
    "archive-push-batch-size": (2, 59),
}
_KNOWN = frozenset(
    [
        "archive-async",
        "archive-check",
        "archive-copy",
        "archive-get-queue-max",
        "archive-header-check",
        "archive-mode",
        "archive-mode-check",
        "archive-push-queue-max",
        "archive-timeout",
        "backup-standby",
        "buffer-size",
        "checksum-page",
        "compress-level",
        "compress-level-network",
        "compress-type",
        "db-timeout",
        "delta",
        "exclude",
        "expire-auto",
        "io-timeout",
        "link-all",
        "lock-path",
        "log-level-console",
        "log-level-file",
        "log-level-stderr",
        "log-path",
        "log-subprocess",
        "log-timestamp",
        "manifest-save-threshold",
        "neutral-umask",
        "pg-database",
        "pg-path",
        "pg-port",
        "pg-socket-path",
        "pg-user",
        "process-max",
        "protocol-timeout",
        "repo-bundle",
        "repo-bundle-limit",
        "repo-bundle-size",
        "repo-cipher-pass",
        "repo-cipher-type",
        "repo-hardlink",
        "repo-path",
        "repo-retention-archive",
        "repo-retention-archive-type",
        "repo-retention-diff",
        "repo-retention-full",
        "repo-retention-full-type",
        "repo-retention-history",
        "repo-s3-bucket",
        "repo-s3-endpoint",
        "repo-s3-key",
        "repo-s3-key-secret",
        "repo-s3-key-type",
        "repo-s3-kms-key-id",
        "repo-s3-region",
        "repo-s3-role",
        "repo-s3-token",
        "repo-s3-uri-style",
        "repo-storage-ca-file",
        "repo-storage-ca-path",
        "repo-storage-host",
        "repo-storage-port",
        "repo-storage-verify-tls",
        "repo-type",
        "resume",
        "sck-keep-alive",
        "spool-path",
        "start-fast",
        "stop-auto",
        "tcp-keep-alive-count",
        "tcp-keep-alive-idle",
        "tcp-keep-alive-interval",
    ]
) | frozenset(_NEWER)
SECRET = frozenset({"repo-s3-key", "repo-s3-key-secret", "repo-s3-token", "repo-cipher-pass"})


_SECRET_WORDS = frozenset({"key", "pass", "passphrase", "password", "secret", "token"})


def is_secret(option: str) -> bool:
    """Whether the value of an option is a secret, of any repository; of one that is not known, whether it sounds so."""
    name = re.sub(r"^(repo|pg)[0-9]+-", r"\1-", option.strip().lower())
    return name in SECRET or (name not in _KNOWN and not _SECRET_WORDS.isdisjoint(name.split("-")))


def version(text: str) -> Version:
    """``"2.52.1"`` as (2, 52, 1)."""
    return tuple(int(part) for part in text.split("."))


def version_text(number: Version) -> str:
    """(2, 52, 1) as ``2.52.1``."""
    return ".".join(map(str, number))


def strip_index(option: str) -> str:
    """The option without its index: ``repo1-path`` is ``repo-path``. Only repository 1 and cluster 1 exist here."""
    return re.sub(r"^(repo|pg)1-", r"\1-", option)


def add_index(option: str) -> str:
    """The option as a configuration file spells it: ``repo-path`` is ``repo1-path``."""
    return re.sub(r"^(repo|pg)-", r"\g<1>1-", option)


def known_options() -> list[str]:
    """Every option that a configuration may hold, spelt as the file does."""
    return sorted(add_index(option) for option in _KNOWN)


def since(option: str) -> Version | None:
    """The version that brought the option: (0,) where any has it, None where none does."""
    name = strip_index(option)
    return _NEWER.get(name, (0,)) if name in _KNOWN else None
