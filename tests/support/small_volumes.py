"""A volume of a release that is nearly full: a small file system in memory takes the place of its folder on the node.

Only where volumes are folders of the node, and a privileged pod may mount there. The database must be down meanwhile.
"""

from __future__ import annotations

import json

from support.live_releases import CLAIM, Site
from support.waiting import KUBECTL_DEADLINE

_MEGABYTES = 1024
_FREE_MEGABYTES = 96
"""Under a tenth of it, and room for some WAL."""
_FILL = rf"""set -euo pipefail
cp -a /volumes/$VOLUME/. /copy/
mount -t tmpfs -o size={_MEGABYTES}m tmpfs /volumes/$VOLUME
cp -a /copy/. /volumes/$VOLUME/
free=$(df --block-size=1M --output=avail /volumes/$VOLUME | tail -n 1)
fallocate --length=$((free - {_FREE_MEGABYTES}))M /volumes/$VOLUME/ballast
"""
_EMPTY = r"""set -euo pipefail
rm -f /volumes/$VOLUME/ballast
cp -a /volumes/$VOLUME/. /copy/
umount /volumes/$VOLUME
find /volumes/$VOLUME -mindepth 1 -delete
cp -a /copy/. /volumes/$VOLUME/
"""


def fill(place: Site, name: str) -> None:
    """Leave under a tenth of the volume free. name: of a pod."""
    _run(place, name, _FILL)


def empty(place: Site, name: str) -> None:
    """Bring the folder back, with what was written meanwhile."""
    _run(place, name, _EMPTY)


def _run(place: Site, name: str, script: str) -> None:
    volume = place.get("pvc", CLAIM)["spec"]["volumeName"]
    about = place.get("pv", volume)["spec"]
    folder, _, last = (about.get("local") or about["hostPath"])["path"].rpartition("/")
    image = place.get("statefulset", "postgresql")["spec"]["template"]["spec"]["containers"][0]["image"]
    mounts = [
        {"name": "volumes", "mountPath": "/volumes", "mountPropagation": "Bidirectional"},
        {"name": "copy", "mountPath": "/copy"},
    ]
    container = {
        "name": "volume",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/bash", "-c", script],
        "env": [{"name": "VOLUME", "value": last}],
        "securityContext": {"privileged": True, "runAsUser": 0},
        "volumeMounts": mounts,
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "volumes", "hostPath": {"path": folder}}, {"name": "copy", "emptyDir": {}}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    place.kubectl.run("apply", "--filename=-", data=json.dumps(pod).encode())
    done, _, _ = place.kubectl.outcome(
        "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", KUBECTL_DEADLINE
    )
    _, log, _ = place.kubectl.outcome("logs", name)
    assert done == 0, log.decode(errors="replace")
