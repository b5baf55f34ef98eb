"""Whether the key pair of a release may write to its repository, where no server that archives shows it."""

from __future__ import annotations

from pgwizard.kube.api import Cluster
from pgwizard.plan.names import STANZA, ReleaseRef
from pgwizard.restore.pod_command import read_output
from pgwizard.restore.reader import reader_pod
from pgwizard.status.repository import Backup

_SECONDS = 180.0
# A backup leaves a small file in the archive, which nothing reads: it is written again as it is. Without a path of the
# database, archive-push does not compare the archive with a data directory, which this pod does not have.
_SCRIPT = r"""set -uo pipefail
backrest() { pgbackrest --log-level-console=off --log-level-stderr=error "$@" </dev/null; }
id=$(backrest repo-ls "archive/$1" | sed -n '/^[0-9.]*-[0-9]*$/p' | sort -t- -k2,2n | tail -n 1) || exit 1
folder="archive/$1/$id/${2:0:16}"
name=$(backrest repo-ls --filter="^$2[.][0-9A-F]{8}[.]backup$" "$folder" | head -n 1) || exit 1
[ -n "$name" ] || exit 0
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
backrest repo-get "$folder/$name" >"$place/$name" || exit 1
sed '/^pg1-/d' "${PGBACKREST_CONFIG:-/etc/pgbackrest/pgbackrest.conf}" >"$place/pgbackrest.conf"
backrest --stanza="$1" --config="$place/pgbackrest.conf" --no-archive-async archive-push "$place/$name"
"""


async def require(cluster: Cluster, release: ReleaseRef, backup: Backup) -> None:
    """Raises PreflightError where nothing can be written. backup: one whose WAL is in the archive."""
    async with reader_pod(cluster, release) as pod:
        await read_output(
            cluster,
            release,
            ("bash", "-c", _SCRIPT, "write-check", STANZA, backup.wal_start),
            seconds=_SECONDS,
            pod=pod,
            name="pgbackrest",
            purpose="its repository cannot be written to, and the restored database could not archive",
            hint="Nothing was touched. Give the release a key pair that may write (repository.credentials), and apply.",
        )
