"""The real repository of a release: rows that are committed and archived, and files that are taken away."""

from __future__ import annotations

import json
from typing import Any

from support.live_releases import Site
from support.waiting import wait_until

SEGMENT = 16 * 1024**2
QUIET = "--log-level-console=off"
_PUT = r"""
put() {  # a file as an object of the bucket, signed with AWS's version 4: pgBackRest 2.60 has no repo-put
  option() { sed -n "s/^repo1-$1=//p" /etc/pgbackrest/pgbackrest.conf; }
  mac() { printf %s "$2" | openssl dgst -sha256 -mac HMAC -macopt "$1" | sed 's/^.* //'; }
  local host stamp path scope signed head names='host;x-amz-content-sha256;x-amz-date' digest=UNSIGNED-PAYLOAD key
  host=$(option s3-endpoint) stamp=$(date -u +%Y%m%dT%H%M%SZ) path="/$(option s3-bucket)$(option path)/$2"
  scope="${stamp%T*}/$(option s3-region)/s3/aws4_request"
  head=$(printf 'host:%s\nx-amz-content-sha256:%s\nx-amz-date:%s' "$host" "$digest" "$stamp")
  signed=$(printf 'PUT\n%s\n\n%s\n\n%s\n%s' "$path" "$head" "$names" "$digest" | sha256sum | cut -d' ' -f1)
  key="key:AWS4$PGBACKREST_REPO1_S3_KEY_SECRET"
  for part in ${scope//\// }; do key="hexkey:$(mac "$key" "$part")"; done
  signed=$(mac "$key" "$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$stamp" "$scope" "$signed")")
  { printf 'PUT %s HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n' "$path" "$(stat -c %s "$1")"
    printf '%s\r\n' "$head" | sed 's/:/: /;s/\r*$/\r/'
    printf 'Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s\r\n\r\n' \
      "$PGBACKREST_REPO1_S3_KEY" "$scope" "$names" "$signed"
    cat "$1"
  } | openssl s_client -quiet -connect "$host" 2>/dev/null >/tmp/answer || true
  head -n 1 /tmp/answer | grep -q ' 200 ' || { cat /tmp/answer >&2; return 1; }
}
"""


def wal(place: Site) -> str:
    """The folder of the WAL of the first database in the path."""
    return f"archive/main/{int(place.sql('SHOW server_version_num')) // 10000}-1"


def write(place: Site, number: int) -> str:
    """Commit a row, and archive the segment that has it; its name."""
    place.sql(f"INSERT INTO moments VALUES ({number})")
    return archive(place)


def archive(place: Site) -> str:
    """Archive the segment that has all that was committed; its name."""
    name = place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    place.sql("SELECT pg_switch_wal()")
    wait_until(f"{name} is archived", lambda: bool(stored(place, name)))
    return name


def stored(place: Site, name: str) -> str:
    """The path of a segment in the repository; empty where it is not there."""
    folder = f"{wal(place)}/{name[:16]}"
    files = place.in_pod("pgbackrest", QUIET, "repo-ls", folder).split()
    return next((f"{folder}/{file}" for file in files if file.startswith(f"{name}-")), "")


def delete(place: Site, name: str) -> None:
    """Delete a segment."""
    remove(place, stored(place, name))
    assert not stored(place, name)


def remove(place: Site, path: str, *, recurse: bool = False) -> None:
    """Delete a file, or all below a path."""
    place.in_pod("pgbackrest", QUIET, *(["--recurse"] if recurse else []), "repo-rm", path)


def files(place: Site, folder: str) -> dict[str, int]:
    """The files below a folder of the repository, with their sizes."""
    output = json.loads(place.in_pod("pgbackrest", QUIET, "repo-ls", "--recurse", "--output=json", folder))
    return {name: about["size"] for name, about in output.items() if about["type"] == "file"}


def change(place: Site, path: str, script: str) -> None:
    """Run ``script`` with the file in /tmp/file, and store the result; its former content stays in /tmp/former."""
    whole = f"""set -euo pipefail
    pgbackrest {QUIET} repo-get "$1" > /tmp/former; cp /tmp/former /tmp/file; {script}
    {_PUT}put /tmp/file "$1" """
    place.in_pod("bash", "-c", whole, "change", path)


def keep(place: Site, path: str) -> None:
    """Copy a file to /tmp/former, from where ``mend`` stores it again."""
    place.in_pod("bash", "-c", f'pgbackrest {QUIET} repo-get "$1" > /tmp/former', "keep", path)


def mend(place: Site, path: str) -> None:
    """Store the former content of a file again."""
    place.in_pod("bash", "-c", f'{_PUT}put /tmp/former "$1"', "mend", path)


def end(last: str) -> int:
    """Where a segment ends, in bytes."""
    return (int(last[8:16], 16) * 256 + int(last[16:], 16) + 1) * SEGMENT


def back_up(place: Site, cronjob: str, name: str) -> str:
    """Take a backup; its label."""
    place.run_job(cronjob, name)
    place.ended(name)
    return str(place.info()["backup"][-1]["label"])


def texts(verdict: Any) -> list[str]:
    """The reasons of a verdict in JSON."""
    return [reason["text"] for reason in verdict["reasons"]]
