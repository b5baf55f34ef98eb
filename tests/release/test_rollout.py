"""A pod or a hook Job that does not start: the message, how soon it comes, which error, and the fix."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from pgwizard.errors import DeadlineError, JobFailed, OutputError, RolloutFailed
from pgwizard.kube import health, jobs
from pgwizard.kube.api import Object, Ref, WatchEvent
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import Facts, resolve
from pgwizard.release import rollout
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import ScriptedOutcome
from pgwizard.simulator.streams import ContainerLog
from pgwizard.text import plain
from support import headless
from support.faulting import JOB, SECRET, STATEFULSET, ApplyRun, answers_of, applied, clock, deployed, live, on
from support.simulated import POD

PROMISED_SECONDS = 20
DATABASE = "default/postgresql-0"
HOOK = "default/postgresql-pgbackrest-init*"


def stuck(*outcomes: ScriptedOutcome, timeout: float = 120) -> ApplyRun:
    """A first install on a cluster where this happens."""
    items: list[ApplyRun] = []

    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.extend(outcomes)
        items.append(await applied(sim, timeout_seconds=timeout))

    on(scenario)
    return items[0]


def seconds_until(result: ApplyRun, text: str) -> float:
    """How long after the beginning of the wait the text was first reported."""
    began = next(at for event, at in zip(result.events, result.at, strict=True) if event.stage == "wait")
    return next(at for event, at in zip(result.events, result.at, strict=True) if text in event.text) - began


def progress(result: ApplyRun) -> list[str]:
    """The reported progress of the first backup."""
    return [event.text for event in result.events if (event.stage, event.kind) == ("first backup", "progress")]


def test_an_image_that_cannot_be_pulled() -> None:
    result = stuck(ScriptedOutcome("image-pull", DATABASE))
    assert isinstance(result.error, RolloutFailed)
    assert result.error.message.startswith(
        "postgresql-0 in namespace default cannot start: container minio-ca-init: ImagePullBackOff: Back-off"
    )
    assert "pull access denied" in result.error.message
    assert result.error.fault is not None
    assert seconds_until(result, "ErrImagePull") < PROMISED_SECONDS
    assert result.at[-1] < jobs.GRACE_SECONDS + PROMISED_SECONDS


def test_the_name_of_a_registry_is_not_cut() -> None:
    image, host = "registry.example.com/a-team/of-some-department/postgres-pgbackrest:15.0", "registry.example.com"
    refused = (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do request: Head '
        f'"https://{host}/v2/a-team/of-some-department/postgres-pgbackrest/manifests/15.0": dial tcp: lookup {host} on '
        "10.96.0.10:53: no such host"
    )
    result = stuck(
        ScriptedOutcome("image-pull", DATABASE, message=f'Back-off pulling image "{image}": ErrImagePull: {refused}')
    )
    assert result.error is not None
    assert result.error.fault is not None
    assert f"The node cannot resolve the registry's name {host}." in result.error.fault.cause


def test_a_container_that_crashes_shows_its_last_lines() -> None:
    lines = (*tuple(f"line {number}" for number in range(40)), "FATAL:  could not write lock file: No space left")
    result = stuck(ScriptedOutcome("crash-loop", DATABASE, lines=lines, container="postgresql"))
    assert isinstance(result.error, RolloutFailed)
    assert "container postgresql: CrashLoopBackOff: ended with exit code 1 (Error)" in result.error.message
    shown = result.error.log
    assert len(shown) == jobs.TAIL_LINES
    assert shown[-1] == "FATAL: could not write lock file: No space left"
    assert seconds_until(result, "exit code 1") < PROMISED_SECONDS


def test_an_init_container_that_crashes_shows_its_own_lines() -> None:
    result = stuck(ScriptedOutcome("crash-loop", DATABASE, lines=("rehash: no such file",), container="minio-ca-init"))
    assert isinstance(result.error, RolloutFailed)
    assert result.error.log == ("rehash: no such file",)


def test_a_server_that_is_started_again_meanwhile_still_shows_why_it_crashed() -> None:
    fatal = "FATAL:  konnte nicht auf Datei »pg_cron« zugreifen: Datei oder Verzeichnis nicht gefunden"

    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("crash-loop", DATABASE, lines=(fatal,), container="postgresql"))
        assert (await applied(sim)).error is not None
        async with aclosing(sim.watch(POD, "default", fields="metadata.name=postgresql-0")) as events:
            states = (health.assess(event.object) async for event in events if event.type != "SYNCED")
            crash = await anext(state async for state in states if rollout.is_crash(state))
            await anext(state async for state in states if not rollout.is_crash(state))
        assert [line async for line in sim.logs("default", "postgresql-0", "postgresql")] == []
        assert await rollout.crash_log(sim, ReleaseRef("default", "postgresql"), crash) == [plain(fatal)]

    on(scenario)


def test_a_crash_that_recovers_within_the_grace_period_is_not_a_failure() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("crash-loop", DATABASE))
        task = asyncio.create_task(applied(sim))
        await asyncio.sleep(8)
        sim.outcomes.clear()
        result = await task
        assert result.error is None

    on(scenario)


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        (
            "unschedulable",
            "cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory.",
            "Insufficient memory",
        ),
        ("pvc-pending", "volume claim postgresql-storage-postgresql-0 is Pending: ProvisioningFailed: ", "capacity"),
        ("never-ready", "starting: 1 of 1 containers started", "1 of 1 containers started"),
    ],
)
def test_a_state_that_may_recover_is_reported_at_once_and_waited_for(kind: Any, first: str, last: str) -> None:
    result = stuck(ScriptedOutcome(kind, "default/*"))
    assert isinstance(result.error, DeadlineError)
    assert result.error.message.startswith("postgresql-0 in default was not ready after 120 s: ")
    assert last in result.error.message
    assert result.error.hint
    assert seconds_until(result, first) < PROMISED_SECONDS
    assert result.error.exit_code == 7


@pytest.mark.parametrize("behind", [-3600, 3600])
def test_a_clock_that_differs_hides_no_reason(behind: float) -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("quota", "default/*"))
        result = await applied(sim, timeout_seconds=60)
        assert isinstance(result.error, RolloutFailed)
        assert "exceeded quota: compute" in result.error.message

    on(scenario, behind_seconds=behind)


def test_an_old_event_explains_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("quota", "default/*"))
        assert (await applied(sim, timeout_seconds=60)).error is not None
        sim.outcomes.clear()
        sim.outcomes.append(ScriptedOutcome("unschedulable", "default/*"))
        await asyncio.sleep(600)
        result = await applied(sim, timeout_seconds=60)
        assert "quota" not in "\n".join(result.texts())

    on(scenario, behind_seconds=700)


def test_a_secret_that_loses_a_key_during_the_rollout_is_reported() -> None:
    async def scenario(sim: SimCluster) -> None:
        def meanwhile(request: Any) -> None:
            if request.verb == "watch" and request.resource == "pods":
                ref = Ref(SECRET, "postgresql-pgbackrest-s3", "default")
                obj = sim.store.peek(ref)
                if obj is not None and "secretKey" in obj["data"]:
                    sim.store.put({**obj, "data": {"accessKey": obj["data"]["accessKey"]}})

        sim.faults.append(meanwhile)
        result = await applied(sim)
        assert isinstance(result.error, RolloutFailed)
        assert (
            "container postgresql: CreateContainerConfigError: couldn't find key secretKey in Secret "
            "default/postgresql-pgbackrest-s3"
        ) in result.error.message
        assert seconds_until(result, "couldn't find key") < PROMISED_SECONDS

    on(scenario)


def test_a_failed_install_resumes_once_the_cause_is_gone() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("image-pull", DATABASE))
        assert isinstance((await applied(sim)).error, RolloutFailed)
        sim.outcomes.clear()
        result = await deployed(sim)
        # The first install's Job waits for the pod by itself, and is there already.
        assert result.writes == ["apply secrets/postgresql-pgwizard", "apply secrets/postgresql-pgwizard"]

    on(scenario)


@pytest.mark.parametrize("policy", ["Parallel", "OrderedReady"])
def test_a_rollout_that_is_stuck_on_a_broken_pod_is_recovered(policy: str) -> None:
    """OrderedReady is that of other tools' releases: there a pod that never got ready is never replaced."""

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        result = live(sim, STATEFULSET, "postgresql")
        sim.store.put({**result, "spec": {**result["spec"], "podManagementPolicy": policy}})
        plan = resolve(answers_of(), Facts(ca=headless.trusted()))
        sim.outcomes.append(ScriptedOutcome("image-pull", DATABASE))
        await _another_template(sim, "broken")
        with pytest.raises(RolloutFailed):
            await rollout.wait_ready(sim, plan.ref, 120, lambda _: None, backups=True, at=clock(sim)())
        sim.outcomes.clear()
        await _another_template(sim, "mended")
        notes: list[str] = []
        ready = await rollout.wait_ready(sim, plan.ref, 120, notes.append, backups=True, at=clock(sim)())
        assert ready == "postgresql-0 is ready"
        assert ("postgresql-0 is stuck in an old revision: it is replaced" in notes) is (policy == "OrderedReady")

    on(scenario)


async def _another_template(sim: SimCluster, mark: str) -> None:
    annotations = {"spec": {"template": {"metadata": {"annotations": {"mark": mark}}}}}
    await sim.patch(Ref(STATEFULSET, "postgresql", "default"), annotations)


def test_an_existing_pod_is_not_reported_missing() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.outcomes.append(ScriptedOutcome("never-ready", DATABASE))
        result = await applied(sim, answers_of(tuning={"connections": 200}), timeout_seconds=30)
        waited = [event.text for event in result.events if (event.stage, event.kind) == ("wait", "progress")]
        assert waited
        assert "the StatefulSet does not exist yet" not in waited

    on(scenario)


@pytest.mark.parametrize(
    ("backups", "message"),
    [
        (True, "the old pod is stopping: up to 120 s, while its last WAL is archived"),
        (False, "the old pod is stopping: up to 120 s"),
    ],
)
def test_a_stopping_pod_is_reported_with_its_grace_period_and_the_reason(backups: bool, message: str) -> None:
    seen = rollout._Progress("postgresql-0", backups)
    seen.take(WatchEvent("ADDED", {"kind": "StatefulSet", "metadata": {"generation": 1}}))
    for left in (120, 0):  # none is left once its containers have ended
        metadata = {"deletionTimestamp": "2026-11-26T09:00:00Z", "deletionGracePeriodSeconds": left}
        spec = {"terminationGracePeriodSeconds": 120}
        seen.take(WatchEvent("MODIFIED", {"kind": "Pod", "metadata": metadata, "spec": spec}))
        assert seen.health().message == message


# ---- the hook Job --------------------------------------------------------------------------------------------------


def test_a_hook_job_that_fails_gives_its_lines_cause_and_fix() -> None:
    lines = (
        "2026-11-23 09:00:00.000 P00   INFO: stanza-create command begin 2.45: --stanza=main",
        "2026-11-23 09:00:00.000 P00  ERROR: [028]: backup and archive info files exist but do not match the database",
    )
    result = stuck(ScriptedOutcome("job-failed", HOOK, lines=lines, exit_code=28))
    assert isinstance(result.error, JobFailed)
    message = "Job default/postgresql-pgbackrest-init failed: Job has reached the specified backoff limit"
    assert result.error.message == message
    assert result.error.log[-1] == " ".join(lines[-1].split())
    assert result.error.fault is not None
    assert result.error.fault.fix
    assert result.error.exit_code == 9
    assert f"a try failed: {result.error.fault.cause}" in result.texts("progress")  # before the last try


def test_a_failed_try_is_reported_with_its_cause_and_not_as_a_failed_pod() -> None:
    line = (
        "2026-11-23 09:00:00.000 P00  ERROR: [028]: backup and archive info files exist but do not match the database"
    )
    result = stuck(ScriptedOutcome("job-failed", HOOK, lines=(line,), exit_code=28))
    assert progress(result)[-1].startswith("a try failed: The repository's path holds the backups of another database")


def test_the_cause_of_a_failed_try_may_follow_the_line_of_its_error() -> None:
    lines = (
        "ERROR: [039]: HTTP request failed with 404 (Not Found):",
        "       *** Response Content ***:",
        "       <Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>",
        "command terminated with exit code 39",
    )
    result = stuck(ScriptedOutcome("job-failed", HOOK, lines=lines, exit_code=39))
    assert progress(result)[-1].startswith("a try failed: The bucket does not exist")


def test_a_hook_job_that_fails_without_a_known_cause_names_a_command_to_investigate() -> None:
    result = stuck(ScriptedOutcome("job-failed", HOOK, lines=("hm",)))
    assert isinstance(result.error, JobFailed)
    assert result.error.hint == (
        "See kubectl -n default logs job/postgresql-pgbackrest-init. Run it again after the fix."
    )


def test_a_hook_job_that_is_deleted_during_the_wait_is_reported() -> None:
    async def scenario(sim: SimCluster) -> None:
        task = asyncio.create_task(applied(sim))
        await asyncio.sleep(8)
        live(sim, JOB, "postgresql-pgbackrest-init")
        await sim.guest().delete(Ref(JOB, "postgresql-pgbackrest-init", "default"))
        result = await task
        assert isinstance(result.error, JobFailed)
        assert result.error.message == "Job default/postgresql-pgbackrest-init was deleted while it ran"
        assert (
            result.error.hint
            == "See whether its namespace is being deleted: kubectl get namespace default. If not, run it again."
        )
        assert (await applied(sim)).error is None

    on(scenario)


SCC = (
    'unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or '
    "serviceaccount, provider restricted-v2: .spec.securityContext.fsGroup: Invalid value: []int64{1001}: 1001 is not "
    "an allowed group]"
)
POLICY = "ValidatingAdmissionPolicy 'team-labels' with binding 'all' denied request: every pod needs the label team"


@pytest.mark.parametrize(
    ("kind", "message", "key", "question"),
    [
        ("quota", "", "quota-exceeded", "tuning.memory"),
        ("quota", POLICY, "admission-policy", ""),
        ("quota", "minimum memory usage per Container is 64Mi, but request is 32Mi", "limit-range-minimum", ""),
        ("pod-security", "", "pod-security", "release.namespace"),
        ("pod-security", SCC, "security-context-constraint", ""),
    ],
)
def test_a_pod_that_admission_refuses_ends_the_wait_at_once_with_the_words_of_the_policy(
    kind: Any, message: str, key: str, question: str
) -> None:
    result = stuck(ScriptedOutcome(kind, "default/postgresql", message=message))
    assert isinstance(result.error, RolloutFailed)
    assert result.error.exit_code == 8
    assert result.error.message.startswith(
        "postgresql-0 in namespace default cannot start: the cluster refuses the pod: FailedCreate: "
    )
    assert message in result.error.message
    assert result.error.fault is not None
    assert result.error.fault.key == key
    assert question in result.error.fault.question
    assert result.at[-1] < 20


@pytest.mark.parametrize(
    ("message", "key", "question"),
    [
        (POLICY, "admission-policy", ""),
        (SCC, "security-context-constraint", ""),
        ("minimum memory usage per Container is 64Mi, but request is 32Mi", "job-limit-range", "jobs.memoryRequest"),
        (
            "cpu max limit to request ratio per Container is 4, but provided ratio is 25.000000",
            "job-limit-range-ratio",
            "jobs.cpuRequest",
        ),
        (
            "exceeded quota: compute, requested: limits.cpu=500m, used: limits.cpu=2, limited: limits.cpu=2",
            "job-quota",
            "jobs.cpuLimit",
        ),
    ],
)
def test_a_hook_job_whose_pod_admission_refuses_fails_at_once_with_the_words_of_the_policy(
    message: str, key: str, question: str
) -> None:
    result = stuck(ScriptedOutcome("quota", HOOK, message=message))
    assert isinstance(result.error, JobFailed)
    assert result.error.exit_code == 9
    assert result.error.message.startswith(
        "Job default/postgresql-pgbackrest-init cannot start: the cluster refuses the pod: FailedCreate: "
    )
    assert message in result.error.message
    assert result.error.fault is not None
    assert (result.error.fault.key, result.error.fault.question) == (key, question)
    assert result.at[-1] < 60


@pytest.mark.parametrize(("place", "exit_code"), [("default/postgresql", 8), (HOOK, 9)])
def test_a_webhook_that_does_not_answer_ends_the_wait_after_a_minute_with_its_name(place: str, exit_code: int) -> None:
    result = stuck(ScriptedOutcome("webhook-silent", place))
    assert isinstance(result.error, RolloutFailed | JobFailed)
    assert result.error.exit_code == exit_code
    assert "cannot start: a webhook of the cluster does not answer: FailedCreate: " in result.error.message
    assert result.error.fault is not None
    assert result.error.fault.key == "admission-webhook-silent"
    assert "The cluster's webhook pods.policy.example.com does not answer" in result.error.fault.cause
    assert 60 < result.at[-1] < 120


def test_a_webhook_that_recovers_within_a_minute_does_not_end_the_wait() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("webhook-silent", "default/postgresql"))
        task = asyncio.create_task(applied(sim))
        await asyncio.sleep(50)
        sim.outcomes.clear()
        assert (await task).error is None

    on(scenario)


def test_a_hook_job_whose_pod_cannot_start_fails_at_once_with_the_reason() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("image-pull", HOOK))
        result = await applied(sim)
        assert isinstance(result.error, JobFailed)
        assert result.error.message.startswith("Job default/postgresql-pgbackrest-init cannot start: container ")
        assert "ImagePullBackOff" in result.error.message
        assert result.error.fault is not None
        assert result.at[-1] < 60
        sim.outcomes.clear()
        again = await deployed(sim)
        assert "create jobs/postgresql-pgbackrest-init" not in again.writes  # it continues by itself

    on(scenario)


def test_the_log_of_the_hook_job_is_followed() -> None:
    result = stuck()
    assert result.error is None
    lines = result.texts("log")
    assert any("stanza-create command begin" in line for line in lines)
    assert any("new backup label = " in line for line in lines)
    runs = [text.removeprefix("pgBackRest runs ") for text in result.texts("progress") if "pgBackRest runs" in text]
    assert (runs[0], runs[-2:]) == ("stanza-create", ["backup", "expire"])


def test_a_hook_job_that_takes_too_long_names_what_it_waits_for() -> None:
    async def scenario(sim: SimCluster) -> None:
        await applied(sim, wait=False)
        job = Ref(JOB, "another", "default")
        with pytest.raises(DeadlineError) as caught:
            await jobs.wait_job(sim, job, 10, lambda _: None, lambda _: None, explain=rollout.explain, at=clock(sim)())
        assert caught.value.message == "Job default/another had not ended after 10 s: its pod is awaited"

    on(scenario)


@pytest.mark.parametrize("error", [BrokenPipeError(), OutputError("the disk is full")])
def test_a_log_that_cannot_be_printed_ends_the_wait_with_that_error(error: Exception) -> None:
    async def scenario(sim: SimCluster) -> None:
        assert (await applied(sim)).error is None
        job = Ref(JOB, "postgresql-pgbackrest-init", "default")

        def fail(_: str) -> None:
            raise error

        with pytest.raises(type(error)):
            await jobs.wait_job(sim, job, 60, lambda _: None, fail, explain=rollout.explain, at=clock(sim)())

    on(scenario)


def test_the_first_backup_has_ended_when_its_container_has() -> None:
    """The Job's controller writes its condition later."""

    async def scenario(sim: SimCluster) -> None:
        result = await applied(sim)
        assert result.error is None
        ended = next(
            at for event, at in zip(result.events, result.at, strict=True) if "expire command end" in event.text
        )
        assert result.at[-1] - ended < 1

    on(scenario)


def test_the_first_backup_has_ended_with_pgbackrest_s_last_line() -> None:
    """The kubelet sees the end of a container a second later; a run that follows at once has nothing to do."""

    async def scenario(sim: SimCluster) -> None:
        work = sim.runtime.programs.job

        async def end_late(pod: Object, log: ContainerLog) -> int:
            code = await work(pod, log)
            await asyncio.sleep(2)
            return code

        sim.runtime.programs.job = end_late  # type: ignore[method-assign]
        result = await applied(sim)
        assert result.error is None
        ended = next(
            at for event, at in zip(result.events, result.at, strict=True) if "expire command end" in event.text
        )
        assert result.at[-1] - ended < 1
        again = await applied(sim)
        assert again.outcome is not None
        assert (again.outcome.result, again.writes) == ("unchanged", [])

    on(scenario)


def test_a_sidecar_neither_hides_the_log_of_the_first_backup_nor_its_end() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("sidecar", HOOK))
        result = await applied(sim)
        assert result.error is None
        assert any("new backup label = " in line for line in result.texts("log"))
        assert "proxy ready" not in result.texts("log")
        assert health.assess(live(sim, JOB, "postgresql-pgbackrest-init")).status == "progressing"
        again = await applied(sim)
        assert again.outcome is not None
        assert again.outcome.result == "unchanged"

    on(scenario)


def test_a_first_backup_that_fails_beside_a_sidecar_is_reported_soon() -> None:
    lines = ("P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>",)
    result = stuck(ScriptedOutcome("sidecar", HOOK), ScriptedOutcome("job-failed", HOOK, lines=lines, exit_code=39))
    assert isinstance(result.error, JobFailed)
    assert result.error.message == (
        "Job default/postgresql-pgbackrest-init failed with exit code 39, but another container keeps its pod running, "
        "so it is not tried again"
    )
    assert result.error.fault is not None
    assert result.at[-1] < 120


def test_a_pod_of_an_earlier_job_of_the_same_name_is_ignored() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        (pod,) = (
            pod for pod in sim.store.find(POD, "default") if pod["metadata"]["name"].startswith("postgresql-pgbackrest")
        )
        sim.outcomes.append(ScriptedOutcome("job-failed", HOOK))
        job = live(sim, JOB, "postgresql-pgbackrest-init")
        await sim.guest().delete(Ref(JOB, "postgresql-pgbackrest-init", "default"))
        sim.store.put({**pod, "metadata": {**pod["metadata"], "name": "left-over"}})
        result = await applied(sim)
        assert live(sim, JOB, "postgresql-pgbackrest-init")["metadata"]["uid"] != job["metadata"]["uid"]
        assert isinstance(result.error, JobFailed)

    on(scenario)


@pytest.mark.parametrize("template", ["init-job.yaml", "full-cronjob.yaml", "incremental-cronjob.yaml"])
def test_the_container_of_a_job_is_named_as_the_templates_name_it(template: str) -> None:
    text = (Path(__file__).parents[2] / "templates" / template).read_text()
    name = text.partition("      containers:")[2].partition("- name: ")[2].split()[0]
    assert name in jobs.CONTAINERS
