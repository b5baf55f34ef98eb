"""Owns the server's failure texts: one function for each status that the simulation answers with.

The texts were recorded from a v1.34 API server. When one of them is due is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgwizard import errors
from pgwizard.kube.api import Access, Ref, Resource
from pgwizard.kube.commands import CURRENT_CONTEXT

Cause = tuple[str, str]
"""A field and its error."""


def group_resource(resource: Resource) -> str:
    """Such as ``statefulsets.apps``; ``secrets`` in the core group."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def group_kind(resource: Resource) -> str:
    """Such as ``StatefulSet.apps``; ``Secret`` in the core group."""
    return f"{resource.kind}.{resource.group}" if resource.group else resource.kind


def not_found(ref: Ref) -> errors.NotFound:
    """404 for an object."""
    return errors.NotFound(f'{group_resource(ref.resource)} "{ref.name}" not found', status=404, reason="NotFound")


def no_namespace(name: str) -> errors.NotFound:
    """404 for a write into a namespace that does not exist."""
    return errors.NotFound(f'namespaces "{name}" not found', status=404, reason="NotFound")


def no_role(binding: Ref, role: str) -> errors.NotFound:
    """404 for a binding to a Role that does not exist: the kind is the binding's, the name the Role's."""
    return errors.NotFound(f'{group_resource(binding.resource)} "{role}" not found', status=404, reason="NotFound")


def terminating(ref: Ref) -> errors.Forbidden:
    """403 for a write into a namespace that is going away."""
    text = f"unable to create new content in namespace {ref.namespace} because it is being terminated"
    cause = ("metadata.namespace", f"namespace {ref.namespace} is being terminated")
    return errors.Forbidden(
        f'{group_resource(ref.resource)} "{ref.name}" is forbidden: {text}',
        status=403,
        reason="Forbidden",
        causes=[cause],
    )


def already_exists(ref: Ref) -> errors.AlreadyExists:
    """409 on create."""
    text = f'{group_resource(ref.resource)} "{ref.name}" already exists'
    return errors.AlreadyExists(text, status=409, reason="AlreadyExists")


def outdated_version(ref: Ref) -> errors.Conflict:
    """409 on a replace of an outdated version."""
    text = (
        f'Operation cannot be fulfilled on {group_resource(ref.resource)} "{ref.name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return errors.Conflict(text, status=409, reason="Conflict")


def other_uid(ref: Ref, expected: str, actual: str) -> errors.Conflict:
    """409 on a delete that means another object of the same name."""
    text = (
        f'Operation cannot be fulfilled on {ref.resource.kind} "{ref.name}": the UID in the precondition ({expected}) '
        f"does not match the UID in record ({actual}). The object might have been deleted and then recreated"
    )
    return errors.Conflict(text, status=409, reason="Conflict")


def outdated_list(text: str = "too old resource version") -> errors.Gone:
    """410."""
    return errors.Gone(text, status=410, reason="Expired")


def bad_request(text: str) -> errors.Invalid:
    """400."""
    return errors.Invalid(text, status=400, reason="BadRequest")


def invalid(ref: Ref, causes: Sequence[Cause]) -> errors.Invalid:
    """422 with every cause."""
    listing = ", ".join(f"{field}: {text}" for field, text in causes)
    what = f"[{listing}]" if len(causes) > 1 else listing
    text = f'{group_kind(ref.resource)} "{ref.name}" is invalid: {what}'
    return errors.Invalid(text, status=422, reason="Invalid", causes=causes)


def not_resizable(ref: Ref) -> errors.Forbidden:
    """403 of admission: the class of the claim does not allow growth."""
    text = (
        f'persistentvolumeclaims "{ref.name}" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize"
    )
    return errors.Forbidden(text, status=403, reason="Forbidden")


def not_started(container: str) -> errors.ServerFailure:
    """500 of the kubelet: exec into a container that does not run."""
    text = f'Internal error occurred: unable to upgrade connection: container not found ("{container}")'
    return errors.ServerFailure(text, status=500, reason="InternalError")


def untypable(ref: Ref, problems: Sequence[str]) -> errors.Invalid:
    """What apply answers to unknown fields: a status 500 without a reason, which the real client reads as 422."""
    listing = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {problem}" for problem in problems)
    kind = f"{ref.resource.api_version}, Kind={ref.resource.kind}"
    slash = "" if ref.resource.group else "/"
    text = f"failed to create typed patch object ({ref.namespace or ''}/{ref.name}; {slash}{kind}): {listing}"
    return errors.Invalid(text, status=422, causes=[(problem.partition(":")[0], problem) for problem in problems])


def no_permission(user: str, access: Access) -> errors.Forbidden:
    """403 by RBAC."""
    kind = access.resource.partition("/")[0]
    what = f"{kind}.{access.group}" if access.group else kind
    name = f' "{access.name}"' if access.name and access.verb != "create" else ""
    where = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    text = (
        f'{what}{name} is forbidden: User "{user}" cannot {access.verb} resource "{access.resource}" '
        f'in API group "{access.group}" {where}'
    )
    return errors.Forbidden(text, status=403, reason="Forbidden")


def conflicts(fields: Sequence[tuple[str, Sequence[str]]]) -> errors.Conflict:
    """409 of an apply; ``found`` is (manager as printed, field paths) for each other manager."""
    count = sum(len(paths) for _, paths in fields)
    causes = [(path, f"conflict with {manager}") for manager, paths in fields for path in paths]
    if count == 1:
        text = f"Apply failed with 1 conflict: conflict with {fields[0][0]}: {fields[0][1][0]}"
    else:
        groups = [
            "\n".join([f"conflicts with {manager}:", *(f"- {path}" for path in paths)]) for manager, paths in fields
        ]
        text = f"Apply failed with {count} conflicts: " + "\n".join(groups)
    return errors.Conflict(text, status=409, reason="Conflict", causes=causes)


def explain(error: errors.ApiError, purpose: str, access: Access | None) -> errors.ApiError:
    """The error as the real client words it: what could not be done, the server's text, and what to do next."""
    clash = any(text.startswith("conflict with ") for _, text in error.causes)
    text = error.message
    if clash:
        listing = "; ".join(f"{field}: {cause}" for field, cause in error.causes[:5])
        text = listing + (f" and {len(error.causes) - 5} more" if len(error.causes) > 5 else "")
    hint = _HINTS.get(type(error), "")
    if clash:
        hint = "Let the other tool give up the field, or take it over by force."
    elif isinstance(error, errors.Forbidden):
        hint = (
            f"Ask for the permission. The same question: {access.command(CURRENT_CONTEXT)}"
            if access and "cannot" in text
            else ""
        )
    return type(error)(
        f"cannot {purpose}: {text}", status=error.status, reason=error.reason, causes=error.causes, hint=hint
    )


_HINTS: dict[type[errors.ApiError], str] = {
    errors.Unauthorized: "Log in again: the credentials of the kubeconfig are not accepted.",
    errors.AlreadyExists: "Use it as it is, delete it, or choose another name.",
    errors.Conflict: "Read it again and repeat: something else has changed it.",
    errors.Gone: "List again: the list has expired.",
    errors.ServerFailure: "Try again later: the API server is overloaded or failing.",
}
