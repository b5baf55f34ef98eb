"""A restore looks for the libraries that the database loads, before it stops anything."""

from __future__ import annotations

from pgwizard.errors import PreflightError
from pgwizard.kube.api import ExecResult, Ref
from pgwizard.simulator.cluster import SimCluster
from restore.test_run import restored, suspended, timelines
from support.faulting import POD, STATEFULSET, live, on_release


def print_missing(sim: SimCluster, *lines: str) -> None:
    """What the check in the pod prints from now on."""

    def answer(command: list[str], _: bytes) -> ExecResult | None:
        text = "".join(f"{line}\n" for line in lines)
        return ExecResult(text.encode(), b"", 0) if command[3:4] == ["library-check"] else None

    sim.runtime.programs.answers.append(answer)


def test_a_library_that_the_server_would_not_start_without_is_refused_before_anything_stops() -> None:
    async def scenario(sim: SimCluster) -> None:
        print_missing(sim, "database myapp\t/lib/shop", "shared_preload_libraries\t/lib/audit")
        pod = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        error = (await restored(sim)).error
        assert isinstance(error, PreflightError)
        image = live(sim, STATEFULSET, "postgresql")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert f"the image {image} has no library /lib/audit, which shared_preload_libraries loads" in error.message
        assert "nothing was touched" in error.message
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] == pod
        assert (suspended(sim), timelines(sim)) == ([False, False], 1)

    on_release(scenario)


def test_libraries_of_extensions_that_fail_already_are_a_warning() -> None:
    async def scenario(sim: SimCluster) -> None:
        print_missing(sim, *(f"database myapp\t/lib/shop{number}" for number in range(5)))
        done = await restored(sim)
        assert done.error is None
        [warning] = [event.text for event in done.events if event.kind == "warning"]
        assert "lacks libraries that functions and extensions need: /lib/shop0 (database myapp), " in warning
        assert "/lib/shop2 (database myapp), and 2 more" in warning

    on_release(scenario)


def test_a_pod_that_has_not_the_new_image_yet_is_not_restored_into_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        pod = Ref(POD, "postgresql-0", "default")
        sim.runtime.change(pod, lambda obj: obj["spec"]["containers"][0].update(image="registry.example/old:15"))
        assert (await restored(sim)).error is None  # a registry that rewrites images is no rollout
        sim.runtime.change(pod, lambda obj: obj["spec"]["containers"][0].update(image="registry.example/old:15"))
        sim.runtime.change(pod, lambda obj: obj["metadata"]["labels"].update({"controller-revision-hash": "older"}))
        error = (await restored(sim)).error
        assert isinstance(error, PreflightError)
        assert "pod postgresql-0 still has the image registry.example/old:15" in error.message

    on_release(scenario)
