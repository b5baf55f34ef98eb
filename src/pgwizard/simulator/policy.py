"""Owns who may do what: RBAC as roles and as a test's denials, the server's warnings, and which claims may grow.

The demo user is a cluster administrator; everybody else has what RoleBindings in the store give them. Not simulated:
ClusterRoles, groups, and profiles other than "restricted"; that a Role grants more than its writer holds goes unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from pgwizard.kube.api import Access, Object, Ref, Resource
from pgwizard.quantities import read_quantity
from pgwizard.simulator.admission import requested_storage, templates
from pgwizard.simulator.birth import CLASS
from pgwizard.simulator.store import Store

ADMINISTRATOR = "demo"
_RBAC = "rbac.authorization.k8s.io/v1"


class PolicyRules:
    """The authorizer. The administrator may do everything except what a test denies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._denials: list[tuple[str, str, str]] = []

    def deny(self, verb: str, resource: str, namespace: str = "*") -> None:
        """``resource`` may be ``pods/exec``; each may be a glob. Namespace "" means the cluster scope."""
        self._denials.append((verb, resource, namespace))

    def clear(self) -> None:
        """Allow everything again."""
        self._denials.clear()

    def allows(self, access: Access, user: str = ADMINISTRATOR) -> bool:
        """The authorizer's answer."""
        right = (access.verb, access.resource, access.namespace or "")
        if any(all(map(fnmatchcase, right, rule)) for rule in self._denials):
            return False
        return user == ADMINISTRATOR or any(_permits(rule, access) for rule in self._rules_of(access, user))

    def resolves(self, binding: Object, user: str) -> bool:
        """Whether the server finds what a RoleBinding would grant: who may not bind any Role must hold all of it."""
        to, namespace = binding["roleRef"], binding["metadata"]["namespace"]
        bind = Access("bind", "roles", _RBAC.partition("/")[0], namespace, to["name"])
        role = Ref(Resource(_RBAC, "Role"), to["name"], namespace)
        return to["kind"] != "Role" or self._store.peek(role) is not None or self.allows(bind, user)

    def _rules_of(self, access: Access, user: str) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = []
        for binding in self._store.find(Resource(_RBAC, "RoleBinding"), access.namespace or ""):
            if any(user in _names(subject, access.namespace) for subject in binding.get("subjects") or ()):
                role = self._store.peek(Ref(Resource(_RBAC, "Role"), binding["roleRef"]["name"], access.namespace))
                rules += (role or {}).get("rules") or ()
        return rules


def _names(subject: dict[str, Any], namespace: str | None) -> set[str]:
    if subject["kind"] == "ServiceAccount":
        return {f"system:serviceaccount:{subject.get('namespace', namespace)}:{subject['name']}"}
    return {subject["name"]}


def _permits(rule: dict[str, Any], access: Access) -> bool:
    pairs = (("verbs", access.verb), ("apiGroups", access.group), ("resources", access.resource))
    if not all({value, "*"} & set(rule.get(key) or ()) for key, value in pairs):
        return False
    return not rule.get("resourceNames") or access.name in rule["resourceNames"]


def can_grow(store: Store, new: Object, old: Object) -> bool:
    """Whether the claim's class lets it grow, where it does."""
    if requested_storage(new) <= requested_storage(old):
        return True
    kind = store.peek(Ref(CLASS, new["spec"].get("storageClassName", "")))
    return bool(kind and kind.get("allowVolumeExpansion"))


def pod_security(obj: Object, level: str) -> str:
    """What the profile "restricted" has against the pods of this object, in the server's words; empty for nothing."""
    if level != "restricted":
        return ""
    violations: dict[str, list[str]] = {}
    for _, pod in templates(obj):
        context = pod.get("securityContext") or {}
        for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
            own = container.get("securityContext") or {}
            name = container.get("name", "")
            if own.get("allowPrivilegeEscalation") is not False:
                violations.setdefault("escalation", []).append(name)
            if "ALL" not in ((own.get("capabilities") or {}).get("drop") or ()):
                violations.setdefault("capabilities", []).append(name)
            if not own.get("runAsNonRoot", context.get("runAsNonRoot")):
                violations.setdefault("root", []).append(name)
            if not (own.get("seccompProfile") or context.get("seccompProfile")):
                violations.setdefault("seccomp", []).append(name)
    texts = {
        "escalation": "allowPrivilegeEscalation != false ({} must set securityContext.allowPrivilegeEscalation=false)",
        "capabilities": 'unrestricted capabilities ({} must set securityContext.capabilities.drop=["ALL"])',
        "root": "runAsNonRoot != true (pod or {} must set securityContext.runAsNonRoot=true)",
        "seccomp": 'seccompProfile (pod or {} must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")',
    }
    return ", ".join(text.format(_containers(violations[key])) for key, text in texts.items() if key in violations)


def fractional_sizes(obj: Object) -> Iterator[str]:
    """What the server has against memory and volumes that are not a whole number of bytes, in its own words.

    Source: pkg/api/pod/warnings.go and pkg/api/persistentvolumeclaim/util.go, v1.34.
    """
    spec = obj.get("spec") or {}
    claims = spec.get("volumeClaimTemplates") or ()
    places = [(f"spec.volumeClaimTemplates[{number}].", claim["spec"]) for number, claim in enumerate(claims)]
    if obj["kind"] == "PersistentVolumeClaim":
        places.append(("spec.", spec))
    for path, pod in templates(obj):
        for group in ("initContainers", "containers"):
            containers = enumerate(pod.get(group) or ())
            places += [(f"{path}.{group}[{number}].", container) for number, container in containers]
    for path, place in places:
        for kind, sizes in (place.get("resources") or {}).items():
            for name, size in sizes.items():
                exact = read_quantity(size)
                if name in {"memory", "storage"} and exact is not None and exact != int(exact):
                    where = f"{path}resources.{kind}[{name}]"
                    yield f'{where}: fractional byte value "{size}" is invalid, must be an integer'


def _containers(names: list[str]) -> str:
    listing = ", ".join(f'"{name}"' for name in names)
    return f"container{'s' if len(names) > 1 else ''} {listing}"
