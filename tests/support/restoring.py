"""A real restore in a scratch pod, as the oracle for what a verdict claims."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from support.live_releases import CLAIM, POD, Site
from support.waiting import KUBECTL_DEADLINE

_DATA = "/var/lib/postgresql/data/pgdata"
_RECOVER = rf"""set -uo pipefail
where=$1; shift
mkdir -p {_DATA}; chmod 700 {_DATA}
pgbackrest --stanza=main --delta --log-level-console=warn "$@" restore || exit $?
archive=$([ "$where" = scratch ] && echo "-c archive_mode=off")
postgres -D {_DATA} -c config_file=/etc/postgresql/postgresql.conf -c listen_addresses= $archive >/tmp/pg.log 2>&1 &
server=$!
answer=
while kill -0 $server 2>/dev/null; do
  answer=$(psql -U postgres -d myapp -XAtqc "select pg_is_in_recovery()" 2>/dev/null)
  [ "$answer" = f ] && break
  sleep 0.2
done
cat /tmp/pg.log
[ "$answer" = f ] || exit 3
echo "rows: $(psql -U postgres -d myapp -XAtc "select string_agg(n::text, ',' order by n) from moments")"
while [ "$where" = archives ] && ls {_DATA}/pg_wal/archive_status/*.ready >/dev/null 2>&1; do sleep 0.2; done
pg_ctl -D {_DATA} stop -m fast -w
"""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a restore ended. redo: the position of the last record that was replayed, 0 where none was."""

    code: int
    rows: str
    redo: int
    log: str


def recover(place: Site, name: str, *options: str, in_place: bool = False, archives: bool = False) -> Recovery:
    """Restore into a scratch pod by a Job from the live pod template; in place with the database scaled to 0.

    archives: the restored server archives into the same path, as a careless clone does.
    """
    where = "archives" if in_place or archives else "scratch"
    more = options if where == "archives" else ("--archive-mode=off", *options)
    end, text = _run(place, name, [_RECOVER, "restore", where, *more], in_place=in_place)
    rows = re.search(r"^rows: (.*)$", text, re.MULTILINE)
    redo = re.search(r"redo done at ([0-9A-F]+)/([0-9A-F]+)", text)
    position = int(redo[1], 16) * 2**32 + int(redo[2], 16) if redo else 0
    return Recovery(0 if end == "Complete" else 1, rows[1] if rows else "", position, text)


def recover_in_place(place: Site, name: str, *options: str) -> Recovery:
    """Restore over the data of the release, which is down meanwhile."""
    place.kubectl.run("scale", "statefulset", "postgresql", "--replicas=0")
    place.kubectl.run("wait", "--for=delete", f"pod/{POD}", KUBECTL_DEADLINE)
    result = recover(place, name, *options, in_place=True)
    place.kubectl.run("delete", "job", name, "--cascade=foreground", "--wait=true")
    place.kubectl.run("scale", "statefulset", "postgresql", "--replicas=1")
    place.kubectl.run("wait", "--for=create", f"pod/{POD}", KUBECTL_DEADLINE)
    place.kubectl.run("wait", "--for=condition=Ready", f"pod/{POD}", KUBECTL_DEADLINE)
    return result


def run_offline(place: Site, name: str, script: str) -> None:
    """Run a script on the data of the release, which is scaled to 0."""
    end, log = _run(place, name, [script], in_place=True)
    assert end == "Complete", log
    place.kubectl.run("delete", "job", name, "--cascade=foreground", "--wait=true")


def _run(place: Site, name: str, script: Sequence[str], *, in_place: bool) -> tuple[str, str]:
    """How a Job from the live pod template ended, Complete or Failed, and its log."""
    stateful = place.get("statefulset", "postgresql")
    spec = copy.deepcopy(stateful["spec"]["template"]["spec"])
    [server] = spec["containers"]
    for part in ("startupProbe", "livenessProbe", "readinessProbe", "ports", "args"):
        server.pop(part, None)
    server |= {"name": "restore", "command": ["/bin/bash", "-c", *script]}
    volume = {"persistentVolumeClaim": {"claimName": CLAIM}} if in_place else {"emptyDir": {"sizeLimit": "2Gi"}}
    spec["volumes"].append({"name": "postgresql-storage", **volume})
    spec["restartPolicy"] = "Never"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {"restore": name}}, "spec": spec},
        },
    }
    place.kubectl.run("apply", "--filename=-", data=json.dumps(job).encode())
    end = place.kubectl.wait_for_end(name)
    _, log, _ = place.kubectl.outcome("logs", f"job/{name}", "--container=restore", "--tail=-1")
    return end, log.decode(errors="replace")
