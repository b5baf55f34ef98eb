"""Checks on what is around a release, as far as they are not shown by what both faces find."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import DeadlineError, Finding
from pgwizard.kube.api import NODE, SERVICE, ExecResult, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import checks, record, survey
from pgwizard.release.image_version import ImageVersion
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.pods import NODE as NODE_NAME
from pgwizard.tls import handshake
from pgwizard.tls.chain import ChainReason, ChainVerdict
from pgwizard.tls.handshake import Verification
from support.faulting import POD, answers_of, clock, deployed
from support.simtime import run

RELEASE = ReleaseRef("default", "postgresql")


def on(scenario: Callable[[SimCluster], Awaitable[None]]) -> None:
    async def main() -> None:
        async with SimCluster(speed=50) as sim:
            await scenario(sim)

    run(main())


async def findings_of(sim: SimCluster, answers: Answers) -> list[Finding]:
    surveyed = await survey.survey(sim, answers, at=clock(sim)())
    return [*surveyed.errors, *surveyed.doubts, *await checks.run(checks.Subject(sim, answers, surveyed, clock(sim)()))]


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:15", "docker.io/library/postgres:15"),
        ("me/postgres", "docker.io/me/postgres:latest"),
        ("localhost/postgres:15", "localhost/postgres:15"),
        ("registry.example.com:5000/postgres", "registry.example.com:5000/postgres:latest"),
        ("quay.io/me/postgres:15@sha256:ab", "quay.io/me/postgres@sha256:ab"),
        ("postgres@sha256:ab", "docker.io/library/postgres@sha256:ab"),
    ],
)
def test_an_image_is_compared_by_the_name_that_a_node_gives_it(short: str, whole: str) -> None:
    assert checks.whole_name(short) == whole


def test_an_image_that_the_database_already_runs_is_not_checked() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        node = sim.store.peek(Ref(NODE, NODE_NAME))
        assert node is not None
        sim.store.put({**node, "status": {"images": []}})
        assert await findings_of(sim, answers_of()) == []
        (finding,) = await findings_of(sim, answers_of(images={"postgresql": "other:1"}))
        assert finding.question == "images.postgresql"

    on(scenario)


def test_the_address_of_a_service_is_warned_of_with_its_name() -> None:
    async def scenario(sim: SimCluster) -> None:
        service = next(item for item in sim.store.find(SERVICE) if item["metadata"]["name"] == "minio")
        address = service["spec"]["clusterIP"]
        path = answers_of(repository={"endpoint": f"{address}:9000"})
        texts = [finding.text for finding in await findings_of(sim, path)]
        assert (
            f"{address} is the ClusterIP of a Service, and is lost when that is made again: give its name, "
            "minio.minio.svc"
        ) in texts
        other = answers_of(repository={"endpoint": "192.0.2.7:9000"})
        assert "ClusterIP" not in "".join(finding.text for finding in await findings_of(sim, other))

    on(scenario)


async def rewritten(sim: SimCluster, section: str, key: str, value: Any) -> None:
    """One answer of the last revision, as another version of pgwizard may have written it."""
    live = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
    assert live is not None
    kept = record.read(live)
    assert kept.last is not None
    answers = {**kept.last.answers, section: {**kept.last.answers[section], key: value}}
    revision = record.Revision(1, kept.last.at, "deployed", kept.last.spec, answers)
    changed = record.Record(kept.ref, kept.inventory, (revision,), kept.salt)
    await sim.apply(changed.secret(), force=True)


def test_a_recorded_answer_that_is_no_longer_valid_does_not_hide_immutable_settings() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await rewritten(sim, "schedule", "gone", "whatever")
        findings = await findings_of(sim, answers_of(release={"database": "shop"}))
        assert [finding.question for finding in findings] == ["release.database"]

    on(scenario)


def test_an_unreadable_revision_is_warned_of_with_what_is_not_checked() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await rewritten(sim, "release", "gone", "whatever")
        (finding,) = await findings_of(sim, answers_of(release={"database": "shop"}))
        assert (finding.severity, finding.question) == ("warning", "release.name")
        assert finding.text.endswith("whether database and superuser stay the same is not checked")

    on(scenario)


def test_a_key_pair_that_may_not_be_read_in_its_namespace_is_not_checked_and_that_is_reported() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.rules.deny("get", "secrets", "shop")
        existing = {"from": "existing", "namespace": "shop", "secret": "s3-backup"}
        (finding,) = await findings_of(sim, answers_of(repository={"credentials": existing}))
        assert (finding.severity, finding.question) == ("warning", "repository.credentials.secret")
        assert finding.text == "not checked: no permission to get Secret shop/s3-backup"

    on(scenario)


def test_a_defect_in_one_check_leaves_none_of_the_others_running() -> None:
    class Broken(SimCluster):
        begun = ended = 0

        async def version(self) -> str:
            await asyncio.sleep(0.1)
            raise KeyError("defect")

        async def _perform(self, *request: Any) -> Any:
            self.begun += 1
            try:
                await asyncio.sleep(5)
                return await super()._perform(*request)
            except asyncio.CancelledError:
                self.ended += 1
                raise

    async def main() -> None:
        async with SimCluster(speed=50) as sim:
            surveyed = await survey.survey(sim, answers_of(), at=clock(sim)())
        async with Broken(speed=50) as sim:
            with pytest.raises(KeyError):
                await checks.run(checks.Subject(sim, answers_of(), surveyed, clock(sim)()))
            assert sim.ended == sim.begun > 1

    run(main())


# ---- the pgBackRest of the image -----------------------------------------------------------------------------------

WRONG_VERSION = (
    "the image has pgBackRest 2.45, not 2.60: options and certificates are judged by the wrong version",
    'Set images.pgbackrestVersion to "2.45".',
)


def test_the_running_image_s_pgbackrest_is_compared_with_the_answers() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        (finding,) = await findings_of(sim, answers_of(images={"pgbackrestVersion": "2.60"}))
        assert (finding.question, finding.severity) == ("images.pgbackrestVersion", "warning")
        assert (finding.text, finding.fix) == WRONG_VERSION

    on(scenario)


def test_an_apply_compares_a_new_image_s_pgbackrest_once_it_runs() -> None:
    async def scenario(sim: SimCluster) -> None:
        done = await deployed(sim, answers_of(images={"pgbackrestVersion": "2.60"}))
        warnings = [event.finding for event in done.events if event.finding is not None]
        assert [(item.text, item.fix) for item in warnings] == [WRONG_VERSION]

    on(scenario)


def printing(text: str, code: int = 0) -> Any:
    def answer(command: list[str], _: bytes) -> ExecResult | None:
        return ExecResult(text.encode(), b"", code) if command == ["pgbackrest", "version"] else None

    return answer


@pytest.mark.parametrize(
    ("printed", "code", "version"),
    [
        ("pgBackRest 2.60.0\n", 0, (2, 60, 0)),
        ("\x1b[1mpgBackRest 2.53.1\n", 0, (2, 53, 1)),
        ("pgBackRest 2.55dev\n", 0, (2, 55)),
        ("pgBackRest 2.60\n", 1, None),
        ("pgBackRest\n", 0, None),
        ("", 0, None),
    ],
)
def test_the_version_is_what_pgbackrest_prints(printed: str, code: int, version: tuple[int, ...] | None) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.runtime.programs.answers.append(printing(printed, code))
        image = answers_of().images.postgresql
        assert await ImageVersion(sim, RELEASE).read(image) == version
        assert await ImageVersion(sim, RELEASE).read("other:1") is None

    on(scenario)


def test_a_pod_shows_its_version_once_and_its_successor_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        image, version = answers_of().images.postgresql, ImageVersion(sim, RELEASE)
        assert await version.read(image) == (2, 45)
        sim.runtime.programs.answers.append(printing("pgBackRest 2.60"))
        assert await version.read(image) == (2, 45)
        pod = await sim.get(Ref(POD, "postgresql-0", "default"))
        sim.store.put({**pod, "metadata": {**pod["metadata"], "uid": "another"}})
        assert await version.read(image) == (2, 60)

    on(scenario)


def test_a_pod_that_does_not_answer_in_time_leaves_the_version_unknown() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        with mock.patch.object(SimCluster, "exec", side_effect=DeadlineError("no answer within 5 s")):
            assert await ImageVersion(sim, RELEASE).read(answers_of().images.postgresql) is None

    on(scenario)


def test_without_the_right_to_run_a_command_the_version_is_not_known() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.rules.deny("create", "pods/exec")
        assert await ImageVersion(sim, RELEASE).read(answers_of().images.postgresql) is None
        assert await findings_of(sim, answers_of(images={"pgbackrestVersion": "2.60"})) == []

    on(scenario)


def verified(*, is_trusted: bool, reason: ChainReason, message: str) -> Any:
    async def verify(*_: Any, namespace: str) -> Verification:
        return Verification(ChainVerdict(is_trusted, reason, "CN=minio", "10.0.0.1", message), 0.1)

    return verify


def test_the_strictest_rules_count_until_the_image_runs_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = verified(is_trusted=False, reason=ChainReason.ADDRESS, message="unable to find hostname")
    monkeypatch.setattr(handshake, "verify", refusal)

    async def scenario(sim: SimCluster) -> None:
        (older,) = await findings_of(sim, answers_of())
        assert older.text.startswith("minio.minio.svc:9000 would be refused: the server's certificate has 10.0.0.1 as")
        (newer,) = await findings_of(sim, answers_of(images={"pgbackrestVersion": "2.60"}))
        assert (newer.question, newer.text) == (
            "images.pgbackrestVersion",
            (
                "minio.minio.svc:9000 is trusted by pgBackRest 2.53 or newer alone: whether the image has 2.60 is not "
                "known yet"
            ),
        )

    on(scenario)


def test_a_server_that_no_public_authority_has_signed_is_refused_where_no_certificate_is_chosen() -> None:
    async def scenario(sim: SimCluster) -> None:
        (finding,) = await findings_of(sim, answers_of(tls={"source": None}))
        assert (finding.question, finding.severity) == ("tls.source", "warning")
        assert finding.text == (
            "minio.minio.svc:9000 would be refused: [18] self-signed certificate: no public authority vouches for it"
        )
        assert finding.fix == "Name its authority in tls.source or tls.caFile, unless the image has that one as well."

    on(scenario)


def test_without_verification_no_chain_is_refused() -> None:
    async def scenario(sim: SimCluster) -> None:
        assert await findings_of(sim, answers_of(tls={"source": None, "verify": False})) == []

    on(scenario)
