"""Whether the server starts again after a restore, and its functions work: the files of the libraries that it loads.

The restore Job and the server after it have the image of the StatefulSet, whose root file system is read-only: what
the running pod lacks, they lack too.
"""

from __future__ import annotations

from pgwizard.errors import Finding, PreflightError
from pgwizard.kube.api import POD, STATEFULSET, Cluster, Object, Ref, find_object
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.restore.pod_command import read_output
from pgwizard.text import fit, plain

_SECONDS = 60.0
_SETTINGS = ("shared_preload_libraries", "session_preload_libraries")
_MOST_NAMES = 3
# A database that cannot be connected to is left out, and so are the last ones of very many.
_SCRIPT = r"""set -euo pipefail
export PGUSER=${1:-${POSTGRES_USER:-postgres}} PGOPTIONS='-c statement_timeout=15s -c search_path=pg_catalog'
sql() { PGDATABASE=$1 psql -XAtq -v ON_ERROR_STOP=1 -c "$2"; }
missing() {
  while IFS=$'\t' read -r path use; do [ -e "$path" ] || [ -e "$path.so" ] || printf '%s\t%s\n' "$use" "$path"; done
}
sql postgres "$2 $4" | missing
names=$(sql postgres 'SELECT datname FROM pg_database WHERE datallowconn')
while IFS= read -r name; do
  if [ "$SECONDS" -lt 30 ]; then sql "$name" "$3 $4" 2>/dev/null | missing || true; fi
done <<< "$names"
"""
# What the next start reads, and not what the running server has read at its own.
_LOADED_QUERY = """WITH newest AS (SELECT DISTINCT ON (name) name AS use, setting FROM pg_file_settings
WHERE name IN ('shared_preload_libraries', 'session_preload_libraries') ORDER BY name, seqno DESC),
libraries AS (SELECT trim(E' "\\t' FROM part) AS name, use
FROM newest, unnest(string_to_array(setting, ',')) AS part)"""
_CALLED_QUERY = """WITH libraries AS (SELECT probin AS name, 'database ' || current_database() AS use FROM pg_proc
WHERE probin IS NOT NULL)"""
_LINES = """SELECT DISTINCT replace(CASE WHEN name ~ '/' THEN name ELSE '$libdir/' || name END, '$libdir',
(SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR')) || E'\\t' || use FROM libraries
WHERE name <> '' AND current_setting('dynamic_library_path') = '$libdir'"""


async def check(cluster: Cluster, release: ReleaseRef, superuser: str | None) -> Finding | None:
    """A warning where extensions lack their libraries: they fail now, and will fail after a restore.

    Raises PreflightError where a library is missing that the server loads when it starts or at each connection, where
    the pod has another image than the restore would, and where it cannot be looked at.
    """
    pod = await find_object(cluster, Ref(POD, Names.of(release.name).pod, release.namespace))
    stateful = await cluster.get(Ref(STATEFULSET, release.name, release.namespace))
    image = _image(stateful["spec"]["template"])
    if pod is not None and _is_older(pod, stateful) and _image(pod) != image:
        raise PreflightError(
            f"pod {pod['metadata']['name']} still has the image {_image(pod)}, and a restore would use {image}, which "
            "may lack a library of this database; nothing was touched",
            hint="Wait for the rollout, or delete the pod. Once the server runs with it, run the restore again.",
        )
    command = ("bash", "-c", _SCRIPT, "library-check", superuser or "", _LOADED_QUERY, _CALLED_QUERY, _LINES)
    text = await read_output(cluster, release, command, seconds=_SECONDS, name="psql", purpose="its libraries")
    missing = [(use, path) for use, _, path in (line.partition("\t") for line in text.splitlines())]
    for use, path in missing:
        if use in _SETTINGS:
            raise PreflightError(
                f"the image {image} has no library {fit(path)}, which {use} loads: the server of release {release} "
                "would not start again; nothing was touched",
                hint=f"Correct {use}, or use an image with that library (images.postgresql). Then run it again.",
            )
    if not missing:
        return None
    examples = [f"{fit(path)} ({fit(use)})" for use, path in missing[:_MOST_NAMES]]
    more = [f"and {len(missing) - _MOST_NAMES} more"] if len(missing) > _MOST_NAMES else []
    text = f"the image {image} lacks libraries that functions and extensions need: {', '.join([*examples, *more])}"
    fix = "They fail now, and will fail after the restore. Use an image with them."
    return Finding("images.postgresql", text, severity="warning", fix=fix)


def _image(pod: Object) -> str:
    """The image of the database's container."""
    images = [each.get("image") for each in pod["spec"]["containers"] if each["name"] == "postgresql"]
    return plain(str(images[0]), 200) if images else ""


def _is_older(pod: Object, stateful: Object) -> bool:
    """Whether the pod is of an earlier revision. A registry that rewrites images changes only its pod."""
    newest = (stateful.get("status") or {}).get("updateRevision")
    own = (pod["metadata"].get("labels") or {}).get("controller-revision-hash")
    return newest is not None and own is not None and newest != own
