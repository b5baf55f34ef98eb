"""The claims that the Job of a drill and that of a preview both meet."""

from __future__ import annotations

from pgwizard.kube.api import Object


def require_apart(job: Object, stateful: Object) -> None:
    """Require a volume of its own, and neither token nor ports nor the labels of the Service."""
    template = job["spec"]["template"]
    spec, [database] = template["spec"], stateful["spec"]["template"]["spec"]["containers"]
    [container] = spec["containers"]
    assert (job["spec"]["backoffLimit"], job["spec"]["ttlSecondsAfterFinished"]) == (0, 600)
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert "serviceAccountName" not in spec
    assert {"startupProbe", "livenessProbe", "readinessProbe", "ports", "args"}.isdisjoint(container)
    for part in ("image", "volumeMounts", "securityContext"):
        assert container[part] == database[part]
    assert container["resources"]["limits"] == database["resources"]["limits"]
    [storage] = [volume for volume in spec["volumes"] if volume["name"] == "postgresql-storage"]
    assert storage["ephemeral"]["volumeClaimTemplate"]["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "volumeMode": "Filesystem",
    }
    assert not stateful["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
