"""Checks of answers against the cluster and the S3 server; the wizard and the apply both run this one list.

Their findings are warnings. What can be seen from this machine is not what the pod will see: an endpoint that nothing
here reaches may well be reached from the cluster, and the proof that counts is the first backup, which runs there.
Only what admission refuses is an error, by the namespace's own limits or for a missing class: no run gets past it.
Every check ends within a deadline, and reports where it was cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pgwizard.answers.questions import Answers, Images
from pgwizard.endpoint import Endpoint
from pgwizard.errors import ClusterError, Finding, Forbidden, PgwizardError
from pgwizard.kube.api import (
    CRONJOB,
    DEFAULT_STORAGE_CLASS,
    LIMIT_RANGE,
    NODE,
    POD,
    PRIORITY_CLASS,
    RESOURCE_QUOTA,
    SERVICE,
    STORAGE_CLASS,
    Cluster,
    Object,
    Ref,
    Resource,
    find_object,
    list_objects,
    side_by_side,
)
from pgwizard.plan import checks as plan_checks
from pgwizard.plan import manifests, pgbackrest
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import Plan, resolve
from pgwizard.plan.server import name_rules, s3_server
from pgwizard.release import limits, placement, record, records
from pgwizard.release.image_version import ImageVersion, version_finding
from pgwizard.release.record import Record, UnreadableRecord
from pgwizard.release.survey import Survey, read_sections, repository_place
from pgwizard.text import plain
from pgwizard.tls import handshake
from pgwizard.tls.certificates import Bundle
from pgwizard.tls.chain import ChainReason
from pgwizard.tls.handshake import Verification
from pgwizard.tls.names import Rules
from pgwizard.tls.public_authorities import public_authorities

DEADLINE_SECONDS = 10.0
"""Longer than a handshake's own deadline, whose message is clearer."""
OLDEST_SERVER = (1, 30)
"""A command with input ends in order from here on: WebSockets close one direction since ``v5.channel.k8s.io``."""
NODES_READ, _NODE_PAGE = 500, 100


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked, at a time. origin: the release that a person opened to change it, if any.

    pgbackrest: the version in the image, where a pod of the release runs it.
    """

    cluster: Cluster
    answers: Answers
    survey_result: Survey
    at: datetime
    origin: ReleaseRef | None = None
    pgbackrest: pgbackrest.Version | None = None


async def run(subject: Subject) -> tuple[Finding, ...]:
    """The findings of every check, side by side; in the order of the checks. Never raises what the cluster raises."""
    if subject.survey_result.installation.statefulset is not None:
        image = ImageVersion(subject.cluster, ReleaseRef.of(subject.answers))
        subject = replace(subject, pgbackrest=await image.read(subject.answers.images.postgresql))
    results = await side_by_side(_within_deadline(check, subject) for check in _CHECKS)
    return tuple(finding for findings in results for finding in findings)


@dataclass(frozen=True, slots=True)
class _Check:
    """waits_for: what the check reads, for messages. permission: to do what. question: where that is shown."""

    find: Callable[[Subject], Awaitable[Sequence[Finding]]]
    waits_for: str
    permission: str
    question: str


async def _within_deadline(check: _Check, subject: Subject) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await check.find(subject)
    except TimeoutError:
        why = f"no answer within {DEADLINE_SECONDS:g} s"
    except Forbidden:
        return (_warning(check.question, f"not checked: no permission to {check.permission}"),)
    except ClusterError as error:
        why = error.message
    return (_warning(check.question, f"not checked: {check.waits_for}: {why}"),)


def _warning(question: str, text: str, fix: str = "") -> Finding:
    return Finding(question, text, severity="warning", fix=fix)


# ---- the server ----------------------------------------------------------------------------------------------------


async def _server_version(subject: Subject) -> Sequence[Finding]:
    version = await subject.cluster.version()
    match = re.match(r"v?([0-9]{1,4})\.([0-9]{1,4})", version)
    if match is None or (int(match[1]), int(match[2])) >= OLDEST_SERVER:
        return ()
    need = f"pgwizard needs {'.'.join(map(str, OLDEST_SERVER))} or newer to run commands in a pod"
    text = f"this cluster runs Kubernetes {plain(version, 40)}: {need}"
    return (_warning("release.namespace", text),)


# ---- the nodes -----------------------------------------------------------------------------------------------------


async def _nodes(subject: Subject) -> Sequence[Finding]:
    """Whether a node has the database's image, and one takes the pods: by one list, as nodes are large objects.

    A kubelet lists its 50 largest images: not listed is not absent. Of a list that was cut nothing is concluded.
    """
    images, pods = subject.answers.images, subject.answers.pods
    image, nodes, is_placed = whole_name(images.postgresql), list[Object](), False
    has_image = runs(subject.survey_result.installation.statefulset, images.postgresql)
    try:
        async with contextlib.aclosing(subject.cluster.pages(NODE, limit=_NODE_PAGE)) as pages:
            async for page in pages:
                for node in page.items:
                    nodes.append(node)
                    has_image = has_image or image in _listed_images(node)
                    is_placed = is_placed or placement.takes(node, pods)
                    if has_image and is_placed:
                        return ()
                if len(nodes) >= NODES_READ:
                    break
    except Forbidden:
        return [*(() if has_image else (_unknown_image(images),)), *placement.unlisted_findings(pods)]
    if not 0 < len(nodes) < NODES_READ:
        return ()
    return [*(() if has_image else (_unlisted_image(images),)), *placement.unplaceable(nodes, pods)]


def _unknown_image(images: Images) -> Finding:
    unknown = f"whether a node has {images.postgresql} is unknown, because you may not list nodes"
    return _warning("images.postgresql", f"{unknown}: {_image_fix(images)}, unless it is there")


def _unlisted_image(images: Images) -> Finding:
    text = f"no node lists {images.postgresql}: {_image_fix(images)}. A node lists its 50 largest images only"
    return _warning("images.postgresql", f"{text}, so it may be there unlisted")


def _image_fix(images: Images) -> str:
    """How to bring the image to the nodes."""
    if images.pull_policy == "Never":
        return "load it onto the nodes (images.pullPolicy is Never)"
    return "build it (image/Containerfile) and push it to a registry that the nodes reach, or load it onto the nodes"


def runs(statefulset: Object | None, image: str) -> bool:
    """Whether a ready pod of it has this image."""
    if statefulset is None or not statefulset.get("status", {}).get("readyReplicas"):
        return False
    containers = statefulset["spec"]["template"]["spec"].get("containers") or []
    return any(container.get("image") == image for container in containers)


def _listed_images(node: Object) -> Iterator[str]:
    for image in node.get("status", {}).get("images") or []:
        yield from (whole_name(str(name)) for name in image.get("names") or [])


def whole_name(image: str) -> str:
    """An image with the registry, the folder and the tag that a container runtime adds to a short name."""
    repository, at, digest = image.partition("@")
    first, slash, _ = repository.partition("/")
    if not slash:
        repository = f"docker.io/library/{repository}"
    elif "." not in first and ":" not in first and first != "localhost":
        repository = f"docker.io/{repository}"
    if at:  # with a digest the tag means nothing
        return f"{_strip_tag(repository)}@{digest}"
    return repository if ":" in repository.rpartition("/")[2] else f"{repository}:latest"


def _strip_tag(repository: str) -> str:
    head, slash, last = repository.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


async def _missing(subject: Subject) -> Sequence[Finding]:
    return await placement.missing(subject.cluster, subject.answers)


# ---- the volume ----------------------------------------------------------------------------------------------------


async def _storage_class(subject: Subject) -> Sequence[Finding]:
    """Whether the cluster can make the volume; one that there is already keeps its class."""
    class_name = subject.answers.storage.storage_class
    if subject.survey_result.installation.claim is not None:
        return ()
    classes = await list_objects(subject.cluster, STORAGE_CLASS)
    text = ""
    if class_name is not None and all(item["metadata"]["name"] != class_name for item in classes):
        text = f"StorageClass {class_name} does not exist: the volume would wait for it"
    elif class_name is None and not any(map(_is_default_class, classes)):
        text = "no StorageClass is the default, and the volume would wait for one: name one"
    return (_warning("storage.storageClass", text),) if text else ()


# ---- the namespace's limits ----------------------------------------------------------------------------------------


async def _limits(subject: Subject) -> Sequence[Finding]:
    """What LimitRanges and ResourceQuotas refuse; a dry run shows neither pods nor claims."""
    answers, facts = subject.answers, subject.survey_result.facts
    if not subject.survey_result.namespace_exists or (answers.has_tls_mirror() and facts.ca is None):
        return ()
    cluster, namespace = subject.cluster, answers.release.namespace
    ranges = await list_objects(cluster, LIMIT_RANGE, namespace)
    quotas = await list_objects(cluster, RESOURCE_QUOTA, namespace)
    if not (ranges or quotas) or plan_checks.check(answers, facts).errors:
        return ()
    namespace_limits = limits.NamespaceLimits(
        ranges,
        quotas,
        await _default(cluster, STORAGE_CLASS, _is_default_class) if limits.is_about_classes(quotas) else None,
        await _default(cluster, PRIORITY_CLASS, _is_default_priority) if limits.is_about_priorities(quotas) else None,
    )
    plan = resolve(answers, facts)
    return limits.findings(await _demand(cluster, plan, subject.survey_result, namespace_limits), namespace_limits)


async def _default(cluster: Cluster, resource: Resource, is_default: Callable[[Object], bool]) -> str | None:
    """The object of a kind that the cluster chooses for whoever names none; None also where they may not be listed."""
    with contextlib.suppress(Forbidden):
        defaults = filter(is_default, await list_objects(cluster, resource))
        return next((str(item["metadata"]["name"]) for item in defaults), None)
    return None


def _is_default_class(item: Object) -> bool:
    return bool((item["metadata"].get("annotations") or {}).get(DEFAULT_STORAGE_CLASS) == "true")


def _is_default_priority(item: Object) -> bool:
    return bool(item.get("globalDefault"))


async def _demand(
    cluster: Cluster, plan: Plan, survey_result: Survey, namespace_limits: limits.NamespaceLimits
) -> limits.Demand:
    """What an apply makes. Only where the number of objects is limited it is read which are there already."""
    namespace, objects = plan.namespace, [manifest.object for manifest in manifests.render(plan)]
    running = schedule = None
    if survey_result.installation.statefulset is not None:
        running = await find_object(cluster, Ref(POD, plan.names.pod, namespace))
        schedule = await find_object(cluster, Ref(CRONJOB, plan.names.full, namespace)) if plan.backups else None
    claim = None
    if survey_result.installation.claim is None and not survey_result.installation.is_claim_unknown:
        claim = limits.ClaimDemand(plan.storage_size, plan.storage_class)
    creations = Counter[Resource]()
    if limits.is_about_objects(namespace_limits.quotas):
        refs = [Ref.of(obj) for obj in objects]
        refs += [record.secret_ref(plan.ref), record.lease_ref(plan.ref)]
        inside = [ref for ref in refs if ref.namespace is not None]
        there = await side_by_side([find_object(cluster, ref) for ref in inside])
        creations.update(ref.resource for ref, live in zip(inside, there, strict=True) if live is None)
    return limits.Demand(limits.pods(objects, running, schedule), claim, creations)


# ---- the S3 server -------------------------------------------------------------------------------------------------


async def try_server(
    cluster: Cluster, answers: Answers, bundle: Bundle | None, rules: Rules, now: datetime
) -> Verification | None:
    """What a handshake with the S3 server says of these certificates; None where nothing is verified.

    bundle: None for the public authorities. Over http, and where the answers turn verification off, the server is only
    connected to. Raises as ``handshake`` does.
    """
    server, namespace = s3_server(answers), answers.release.namespace
    if server.scheme == "http":
        await handshake.reach(cluster, server, namespace=namespace)
    elif not answers.tls.verify:
        await handshake.handshake(cluster, server, namespace=namespace)
    else:
        if bundle is None:
            bundle = await asyncio.to_thread(public_authorities)
        return await handshake.verify(cluster, server, bundle, rules, now, namespace=namespace)
    return None


async def _cluster_ip(subject: Subject) -> Sequence[Finding]:
    """Whether the endpoint is the address of a Service; where Services may not be listed, that is not known."""
    repository = subject.answers.repository
    if not repository.enabled or not repository.s3_endpoint.is_address:
        return ()
    host, services = repository.s3_endpoint.host.lower(), list[Object]()
    with contextlib.suppress(Forbidden):
        services = await list_objects(subject.cluster, SERVICE)
    for service in services:
        spec, metadata = service.get("spec") or {}, service["metadata"]
        if host in (spec.get("clusterIP"), *(spec.get("clusterIPs") or ())):
            name = f"{metadata['name']}.{metadata['namespace']}.svc"
            text = f"{host} is the ClusterIP of a Service, and is lost when that is made again: give its name, {name}"
            return (_warning("repository.endpoint", text),)
    return ()


async def _endpoint(subject: Subject) -> Sequence[Finding]:
    """A real handshake, by the rules of the pgBackRest in the image; the strictest ones where that is not known."""
    answers, bundle = subject.answers, subject.survey_result.ca
    if not answers.repository.enabled or (answers.has_tls_mirror() and bundle is None):
        return ()
    rules = pgbackrest.rules(subject.pgbackrest) if subject.pgbackrest else Rules()
    try:
        verification = await try_server(subject.cluster, answers, bundle, rules, subject.at)
    except Forbidden:
        raise
    except PgwizardError as error:
        fix = f". {error.hint}" if error.hint else ""
        return (_warning("repository.endpoint", f"{error.message}{fix}"),)
    return (
        () if verification is None else tuple(_doubts(answers, verification, bundle, is_known=bool(subject.pgbackrest)))
    )


def _doubts(
    answers: Answers, verification: Verification, bundle: Bundle | None, *, is_known: bool
) -> Iterator[Finding]:
    """Why the server would be refused. is_known: whether the version in the image is, by whose rules that is so."""
    refusal, endpoint = verification.finding, s3_server(answers)
    if refusal is None:
        return
    if refusal.severity == "warning":
        yield _warning("tls.source", f"not checked: {endpoint}: {plain(refusal.text)}")
    elif verification.verdict.reason is ChainReason.ADDRESS and not is_known and name_rules(answers).has_addresses:
        since, answer = pgbackrest.version_text(pgbackrest.IP_SAN_SINCE), answers.images.pgbackrest_version
        text = f"{endpoint} is trusted by pgBackRest {since} or newer alone"
        yield _warning("images.pgbackrestVersion", f"{text}: whether the image has {answer} is not known yet")
    elif bundle is None and verification.verdict.reason not in {ChainReason.HOST, ChainReason.ADDRESS}:
        text = f"{endpoint} would be refused: {plain(refusal.text)}: no public authority vouches for it"
        fix = "Name its authority in tls.source or tls.caFile, unless the image has that one as well."
        yield _warning("tls.source", text, fix)
    else:
        text = f"{endpoint} would be refused: {plain(refusal.text)}: the first backup would fail"
        yield _warning("tls.source", text)


async def _pgbackrest(subject: Subject) -> Sequence[Finding]:
    finding = version_finding(subject.answers, subject.pgbackrest)
    return () if finding is None else (finding,)


# ---- other releases ------------------------------------------------------------------------------------------------


async def _releases(subject: Subject) -> Sequence[Finding]:
    """Conflicts with other releases, and with the release's own past."""
    own, gaps = subject.survey_result.record, tuple[Finding, ...]()
    try:
        there = await records.releases(subject.cluster, None)
    except Forbidden:
        there = await records.releases(subject.cluster, subject.answers.release.namespace)
        if subject.answers.repository.enabled:
            text = "not checked against other namespaces: no permission to list Secrets there"
            gaps = (_warning("repository.path", text),)
    near = neighbours(subject.answers, there, subject.origin, is_new=own is None)
    return (*move_findings(subject.answers, own), *near, *gaps)


def move_findings(answers: Answers, own: Record | None) -> tuple[Finding, ...]:
    """That an existing release gets another bucket or path: what it has stays where it is. Pure.

    What was tried since and failed has no backups. Another endpoint alone may well be another name of the same store.
    """
    revision = own.deployed_revision if own else None
    then = read_sections(revision, "repository")
    if revision is not None and then is None:
        text = f"revision {revision.number} of the record cannot be read: whether the repository moves is not checked"
        return (_warning("repository.path", text, records.UNREADABLE),)
    before, now = repository_place(then) if then else None, repository_place(answers)
    if before is None or now is None or before[1:] == now[1:]:
        return ()
    text = f"existing backups stay in {_s3(before)}: the new location starts with a full backup and has no history"
    return (_warning("repository.bucket" if before[1] != now[1] else "repository.path", text),)


def neighbours(
    answers: Answers, there: Sequence[records.AnyRecord], origin: ReleaseRef | None = None, *, is_new: bool = False
) -> tuple[Finding, ...]:
    """Conflicts of these answers with the other releases of the cluster. Pure.

    origin: the release that was to be changed, if any. is_new: whether the answers make one.
    """
    own, place = ReleaseRef.of(answers), repository_place(answers)
    findings = []
    for release in there:
        other = release.ref
        if other == own:
            continue
        if other == origin or (is_new and other.namespace == own.namespace):
            text = f"this creates a second release: {other} is not changed"
            findings.append(_warning("release.name", text))
        if place is None:
            continue
        if isinstance(release, UnreadableRecord):
            text = f"{release.problem}: whether {other} shares the path is not checked"
            findings.append(_warning("repository.path", text, records.UNREADABLE))
            continue
        sections = read_sections(release.last, "repository")
        if release.last is not None and sections is None:
            text = (
                f"revision {release.last.number} of {other} cannot be read: whether it shares the path is not checked"
            )
            findings.append(_warning("repository.path", text, records.UNREADABLE))
        elif sections is not None and repository_place(sections) == place:
            text = f"{other} backs up to {_s3(place)} as well: each database needs a path of its own"
            findings.append(_warning("repository.path", text))
    return tuple(findings)


def _s3(place: tuple[Endpoint, str, str]) -> str:
    endpoint, bucket, path = (plain(str(part), 100) for part in place)
    return f"{bucket}{path} at {endpoint}"


_CHECKS = (
    _Check(_server_version, "the server's version", "get the server's version", "release.namespace"),
    _Check(_nodes, "the list of nodes", "list nodes", "images.postgresql"),
    _Check(_storage_class, "the list of StorageClasses", "list StorageClasses", "storage.storageClass"),
    _Check(_pgbackrest, "the pod's pgBackRest", "run a command in the pod", "images.pgbackrestVersion"),
    _Check(_limits, "the namespace's limits", "list LimitRanges and ResourceQuotas", "release.namespace"),
    _Check(_missing, "the classes and the account of the pods", "get what pods names", "pods.serviceAccount"),
    _Check(_endpoint, "the S3 server", "port-forward to the S3 server", "repository.endpoint"),
    _Check(_cluster_ip, "the list of Services", "list Services", "repository.endpoint"),
    _Check(_releases, "the other releases", "list Secrets", "repository.path"),
)
