"""The permissions that an apply needs, and a Role that grants the missing ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pgwizard.errors import Finding, PreflightError
from pgwizard.kube.api import Access, Cluster, Ref

if TYPE_CHECKING:  # a status needs no answers, and starts faster without their models
    from pgwizard.answers.questions import Answers

# ---- rights --------------------------------------------------------------------------------------------------------

_WRITE = ("get", "create", "patch")
_RELEASE_KINDS = (
    ("secrets", "", _WRITE),
    ("configmaps", "", (*_WRITE, "delete")),
    ("services", "", (*_WRITE, "delete")),
    ("statefulsets", "apps", (*_WRITE, "delete", "list", "watch")),
    ("persistentvolumeclaims", "", ("get", "list", "watch", "patch")),
    ("pods", "", ("get", "list", "watch", "delete")),
    ("pods/log", "", ("get",)),
    ("events", "", ("list", "watch")),
    ("leases", "coordination.k8s.io", ("get", "create", "update")),
)
_BACKUP_KINDS = (  # to grant a permission to the CronJobs, one must have it: get pods above, and pods/exec
    ("serviceaccounts", "", (*_WRITE, "delete")),
    ("roles", "rbac.authorization.k8s.io", (*_WRITE, "delete")),
    ("rolebindings", "rbac.authorization.k8s.io", (*_WRITE, "delete")),
    ("cronjobs", "batch", (*_WRITE, "delete")),
    ("jobs", "batch", ("get", "list", "watch", "create", "delete")),
    ("pods/exec", "", ("get", "create")),
)


def in_namespace(namespace: str, kinds: Iterable[tuple[str, str, Sequence[str]]]) -> list[Access]:
    """An access for each verb. kinds: the plural of a resource, its API group, and verbs."""
    return [Access(verb, resource, group, namespace) for resource, group, verbs in kinds for verb in verbs]


def accesses(answers: Answers, *, ca_file: bool = False) -> list[Access]:
    """Every right that an apply of these answers may need, in the release's namespace and beyond.

    ca_file: whether a certificate is given as a file, which replaces its Secret.
    """
    from pgwizard.answers.questions import ExistingS3Credentials
    from pgwizard.plan.plan import mirrored_s3

    namespace = answers.release.namespace
    kinds = list(_RELEASE_KINDS)
    if answers.repository.enabled:
        kinds += _BACKUP_KINDS
    if answers.advanced.network_policy:
        kinds.append(("networkpolicies", "networking.k8s.io", (*_WRITE, "delete")))
    if answers.advanced.prometheus_rule and answers.repository.enabled:
        kinds.append(("prometheusrules", "monitoring.coreos.com", (*_WRITE, "delete", "list")))
    needs = in_namespace(namespace, kinds)
    if answers.release.create_namespace:
        needs += [Access(verb, "namespaces", name=namespace if verb != "create" else "") for verb in _WRITE]
    if answers.has_tls_mirror() and answers.tls.source is not None and not ca_file:
        needs.append(Access("get", "secrets", "", answers.tls.source.namespace, answers.tls.source.secret))
    credentials = answers.repository.credentials
    if answers.repository.enabled and mirrored_s3(answers) and isinstance(credentials, ExistingS3Credentials):
        needs.append(Access("get", "secrets", "", credentials.namespace, credentials.secret))
    return needs


async def require_rights(cluster: Cluster, answers: Answers, *, ca_file: bool = False) -> None:
    """Raises PreflightError with every missing right, its kubectl line, and a Role that grants them."""
    await require(cluster, accesses(answers, ca_file=ca_file))


async def require_deletion(cluster: Cluster, refs: Sequence[Ref]) -> None:
    """The same for deletions: earlier answers may have needed permissions that these do not."""
    kinds = dict.fromkeys((ref.resource.plural, ref.resource.group, ref.namespace) for ref in refs)
    await require(cluster, [Access("delete", *kind) for kind in kinds])


async def require(cluster: Cluster, needs: Sequence[Access]) -> None:
    """Raises PreflightError with every missing permission."""
    refuse(cluster, await lacking(cluster, needs))


async def lacking(cluster: Cluster, needs: Sequence[Access]) -> list[Access]:
    """The permissions that are missing."""
    return [access for access, is_granted in (await cluster.check_access(needs)).items() if not is_granted]


def refuse(cluster: Cluster, missing: Sequence[Access]) -> None:
    """Raises PreflightError with each, its kubectl line, and a Role that grants them; nothing where none is missing."""
    if missing:
        raise PreflightError(
            f"{cluster.server} does not let you do all that this needs; nothing was written",
            [Finding(text=_describe(access), fix=f"check: {access.command(cluster.commands)}") for access in missing],
            hint="An administrator grants it with:\n" + role(missing),
        )


def reads(access: Access) -> bool:
    """Whether it changes no object; a command in a pod counts as such."""
    return access.verb in ("get", "list", "watch") or access.resource == "pods/exec"


def summary(missing: Sequence[Access]) -> str:
    """Verbs by resource: ``patch secrets; create and delete jobs``."""
    verbs: dict[str, list[str]] = {}
    for access in missing:
        verbs.setdefault(access.resource, []).append(access.verb)
    return "; ".join(f"{' and '.join(each)} {resource}" for resource, each in verbs.items())


def _describe(access: Access) -> str:
    group = f".{access.group}" if access.group else ""
    name = f" {access.name}" if access.name else ""
    where = f" in namespace {access.namespace}" if access.namespace else ""
    return f"{access.verb} {access.resource}{group}{name}{where}"


def role(missing: Sequence[Access]) -> str:
    """Roles, and a ClusterRole if needed, that grant the accesses, as YAML for an administrator."""
    documents = []
    for namespace in sorted({access.namespace or "" for access in missing}):
        rules: dict[tuple[str, str, str], list[str]] = {}
        for access in missing:
            if (access.namespace or "") == namespace:
                rules.setdefault((access.group, access.resource, access.name), []).append(access.verb)
        kind, place = ("Role", f"\n  namespace: {namespace}") if namespace else ("ClusterRole", "")
        lines = [
            "apiVersion: rbac.authorization.k8s.io/v1",
            f"kind: {kind}",
            f"metadata:\n  name: pgwizard-operator{place}",
            "rules:",
        ]
        for (group, resource, name), verbs in rules.items():
            names = f', resourceNames: ["{name}"]' if name else ""
            lines.append(f'  - {{apiGroups: ["{group}"], resources: ["{resource}"]{names}, verbs: {_flow(verbs)}}}')
        documents.append("\n".join(lines))
    return "\n---\n".join(documents)


def _flow(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
