"""Which pgBackRest a release's pod has: asked in the pod, once for each pod."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pgwizard.errors import ClusterError, DeadlineError, Finding
from pgwizard.kube.api import POD, Cluster, Object, Ref, find_object
from pgwizard.plan import pgbackrest
from pgwizard.plan.names import Names, ReleaseRef

if TYPE_CHECKING:  # a status needs no answers, and starts faster without their models
    from pgwizard.answers.questions import Answers

_CONTAINER = "postgresql"
_COMMAND = ("pgbackrest", "version")
_TIMEOUT_SECONDS = 5.0
_VERSION_LINE = re.compile(r"pgBackRest ([0-9]{1,3}(?:\.[0-9]{1,3}){1,2})(?![0-9])", re.ASCII)


class ImageVersion:
    """The version of the pod's pgBackRest; a pod that has answered is not asked again."""

    def __init__(self, cluster: Cluster, release: ReleaseRef) -> None:
        self._cluster = cluster
        self._release = release
        self._answer: tuple[str, pgbackrest.Version] | None = None

    async def read(self, image: str | None = None) -> pgbackrest.Version | None:
        """None where no running pod has this image, or it cannot be asked. Raises nothing of the cluster's.

        image: any one if None.
        """
        try:
            namespace, name = self._release.namespace, Names.of(self._release.name).pod
            pod = await find_object(self._cluster, Ref(POD, name, namespace))
            if pod is None or not _runs(pod, image):
                return None
            uid = str(pod["metadata"]["uid"])
            if self._answer is None or self._answer[0] != uid:
                result = await self._cluster.exec(
                    namespace, name, _CONTAINER, _COMMAND, timeout_seconds=_TIMEOUT_SECONDS
                )
                version = printed_version(result.stdout.decode(errors="replace"))
                if result.exit_code != 0 or version is None:
                    return None
                self._answer = (uid, version)
            return self._answer[1]
        except (ClusterError, DeadlineError):  # a right that is missing, a pod that has just ended or is slow
            return None


def printed_version(text: str) -> pgbackrest.Version | None:
    """What ``pgbackrest version`` prints; None for anything else."""
    match = _VERSION_LINE.search(text)
    return pgbackrest.version(match[1]) if match else None


def _runs(pod: Object, image: str | None) -> bool:
    containers = pod["spec"].get("containers") or []
    states = (pod.get("status") or {}).get("containerStatuses") or []
    images = [item.get("image") for item in containers if item.get("name") == _CONTAINER]
    has_image = bool(images) if image is None else image in images
    is_running = any(item.get("name") == _CONTAINER and "running" in (item.get("state") or {}) for item in states)
    return has_image and is_running


def version_finding(answers: Answers, actual: pgbackrest.Version | None) -> Finding | None:
    """That the image has another version than the answers say; None where it has not, or that is not known."""
    answer = answers.images.pgbackrest_version
    if not answers.repository.enabled or actual in (None, pgbackrest.version(answer)):
        return None
    has = pgbackrest.version_text(actual)
    text = f"the image has pgBackRest {has}, not {answer}: options and certificates are judged by the wrong version"
    fix = f'Set images.pgbackrestVersion to "{has}".'
    return Finding("images.pgbackrestVersion", text, severity="warning", fix=fix)
