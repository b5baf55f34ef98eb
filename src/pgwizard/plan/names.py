"""Names of the objects of a release, and the fixed names and paths inside its pod. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgwizard.answers.questions import Answers

STANZA = "main"
DATA = "/var/lib/postgresql/data"
CA_FILE = "/etc/ssl/certs/minio-ca.crt"
CA_KEY = "tls.crt"


@dataclass(frozen=True, slots=True, order=True)
class ReleaseRef:
    """One release of a cluster."""

    namespace: str
    name: str

    @classmethod
    def of(cls, answers: Answers) -> ReleaseRef:
        """The release that the answers describe."""
        return cls(answers.release.namespace, answers.release.name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class PartialReleaseRef:
    """A release of which a part may be unknown. namespace: None for the connection's; name: None for the only one."""

    namespace: str | None = None
    name: str | None = None


ANY_RELEASE = PartialReleaseRef()
"""The only release in the connection's namespace."""


@dataclass(frozen=True, slots=True)
class Names:
    """Every object's name."""

    release: str
    pod: str
    config: str
    pgbackrest_config: str
    credentials: str
    s3: str
    cipher: str
    ca: str
    backup: str
    full: str
    incremental: str
    verify: str
    drill: str
    init: str
    client: str

    @classmethod
    def of(cls, release: str) -> Names:
        """The names of a release; those of the architecture document if it is called postgresql."""
        return cls(
            release=release,
            pod=f"{release}-0",
            config=f"{release}-config",
            pgbackrest_config=f"{release}-pgbackrest-config",
            credentials=release,
            s3=f"{release}-pgbackrest-s3",
            cipher=f"{release}-pgbackrest-cipher",
            ca=f"{release}-minio-ca",
            backup=f"{release}-pgbackrest",
            full=f"{release}-pgbackrest-full",
            incremental=f"{release}-pgbackrest-incr",
            verify=f"{release}-backup-verify",
            drill=f"{release}-backup-drill",
            init=f"{release}-pgbackrest-init",
            client=f"{release}-client",
        )

    @property
    def claim(self) -> str:
        """The volume claim's: the StatefulSet's controller makes it from the template's and the pod's."""
        return f"postgresql-storage-{self.pod}"


_MIRROR_SOURCES = {
    "pgwizard/source": re.compile(r"([^/ ]+/[^/ ]+)/[^/ ]+"),
    "pgwizard/values-from": re.compile(r"Secret ([^/ ]+/[^/, ]+), keys .*"),
}
"""By the annotation of a template, how ``ca_source`` and ``s3_source`` name the Secret that is mirrored."""


def mirrored_from(metadata: Mapping[str, Any]) -> str:
    """The Secret, as namespace/name, that one of pgwizard's Secrets mirrors; empty where it mirrors none.

    Read from an annotation and not escaped: the caller escapes it before it is shown.
    """
    annotations = metadata.get("annotations") or {}
    matches = (pattern.fullmatch(str(annotations.get(key, ""))) for key, pattern in _MIRROR_SOURCES.items())
    return next((match[1] for match in matches if match), "")
