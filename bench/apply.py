"""Apply against helm and against pgBackRest alone, on a real cluster and in one run: ``python bench/apply.py``.

Every round does both sides in turn (A B A B ...), so that a slow or busy machine slows both down; targets are judged by
the minimum of each side. A watch of all pods, in this process and on a connection of its own, says when a pod appears
and when it is Ready. Exit code 1 where a target is missed.

Needs PGWIZARD_TEST_KUBECONFIG (or KUBECONFIG), RIG_S3_ACCESS_KEY, RIG_S3_SECRET_KEY, RIG_S3_CA, helm and kubectl: what
``eval "$(rig env)"`` sets. Namespaces of its own, which go away.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from raw_api import server_and_context

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
POD = "postgresql-0"
DEADLINE_SECONDS = 180
ALONE = (
    "pgbackrest --stanza=main --log-level-console=off stanza-create && "
    "pgbackrest --stanza=main --log-level-console=off check && "
    "pgbackrest --stanza=main --type=full --log-level-console=off backup"
)


@dataclass(frozen=True, slots=True)
class Result:
    """One figure against its floor, in milliseconds; ``ratio`` is of the minima. No target: only reported."""

    name: str
    floor_name: str
    times: list[float]
    floors: list[float]
    target: float | None

    @property
    def ratio(self) -> float:
        return min(self.times) / min(self.floors)

    @property
    def met(self) -> bool:
        return self.target is None or self.ratio <= self.target


def main() -> int:
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # As installed: modules are compiled. The warm-up, which is not counted, does it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        watch = Pods(_Api())
        bench = Bench(watch, folder)
        stack.callback(bench.clean_up)
        results = bench.run(options.rounds)
        requests = bench.requests()
    _print(results, requests)
    return 0 if all(result.met for result in results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    return parser.parse_args()


# ---- the watch -----------------------------------------------------------------------------------------------------


class _Api:
    """Raw requests with the kubeconfig's client certificate."""

    def __init__(self) -> None:
        server, self._context = server_and_context(KUBECONFIG)
        self._address = server.removeprefix("https://")

    def open(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(self._address, context=self._context)
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"GET {path}: {response.status}")
        return response


class Pods:
    """When pods appeared and got Ready, by ``time.perf_counter``."""

    def __init__(self, api: _Api) -> None:
        version = json.load(api.open("/api/v1/pods?limit=1"))["metadata"]["resourceVersion"]
        self._response = api.open(f"/api/v1/pods?watch=true&resourceVersion={version}")
        self._changed = threading.Condition()
        self._seen: dict[tuple[str, str], float] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._response:
            now = time.perf_counter()
            pod = json.loads(line)["object"]
            if pod["metadata"]["name"] != POD:
                continue
            namespace = pod["metadata"]["namespace"]
            conditions = pod.get("status", {}).get("conditions") or []
            with self._changed:
                self._seen.setdefault((namespace, "there"), now)
                if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
                    self._seen.setdefault((namespace, "ready"), now)
                self._changed.notify_all()

    def when(self, namespace: str, what: str) -> float:
        """Wait until the pod of a namespace is ``there`` or ``ready``."""
        with self._changed:
            if not self._changed.wait_for(lambda: (namespace, what) in self._seen, DEADLINE_SECONDS):
                raise SystemExit(f"{namespace}: no pod was {what} within {DEADLINE_SECONDS} s")
            return self._seen[namespace, what]


# ---- one namespace -------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """Both sides, in namespaces that are made before the clock starts."""

    pods: Pods
    folder: Path
    figures: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))
    namespaces: list[str] = field(default_factory=list)

    def run(self, rounds: int) -> list[Result]:
        """One round more than asked for: the first warms caches, and is not counted."""
        for number in range(rounds + 1):
            print(f"round {number} of {rounds}" + ("" if number else " (warm-up)"), file=sys.stderr)
            self._round()
            if not number:
                self.figures.clear()
        figures = self.figures
        return [
            Result(
                "start to the pod object existing", "helm install", figures["there"], figures["helm there"], target=1.0
            ),
            Result(
                "pod Ready to the first backup in S3",
                "the same pgBackRest commands alone",
                figures["backup"],
                figures["alone"],
                target=1.3,
            ),
            Result(
                "pod Ready to pgwizard reporting the backup",
                "the same pgBackRest commands alone",
                figures["proven"],
                figures["alone"],
                target=1.25,
            ),
            Result("apply that changes nothing", "helm upgrade", figures["again"], figures["helm again"], target=1.5),
            Result(
                "start to pod Ready (the pod's own time)",
                "helm install, to pod Ready",
                figures["ready"],
                figures["helm ready"],
                target=None,
            ),
        ]

    def _round(self) -> None:
        figures = self.figures
        whole, bare, charted = (self._namespace() for _ in range(3))
        # (1) to the pod object, then each pod on its own
        begin = time.perf_counter()
        _call([*self._pgwizard(bare), "--no-wait"])
        figures["there"].append(_ms(self.pods.when(bare, "there") - begin))
        figures["ready"].append(_ms(self.pods.when(bare, "ready") - begin))
        chart = self._chart(charted)
        begin = time.perf_counter()
        _call(self._helm(charted, "install", chart))
        figures["helm there"].append(_ms(self.pods.when(charted, "there") - begin))
        figures["helm ready"].append(_ms(self.pods.when(charted, "ready") - begin))
        # (2) from Ready to the first backup; a pod like it, and pgBackRest alone
        stored, proven = _lines(self._pgwizard(whole, "--json"), _is_stored, _is_proven)
        figures["backup"].append(_ms(stored - self.pods.when(whole, "ready")))
        figures["proven"].append(_ms(proven - self.pods.when(whole, "ready")))
        begin = time.perf_counter()
        _call([_kubectl(), "-n", charted, "exec", POD, "--", "bash", "-c", ALONE])
        figures["alone"].append(_ms(time.perf_counter() - begin))
        # (3) nothing changes
        for _ in range(3):
            figures["again"].append(_timed(self._pgwizard(whole)))
            figures["helm again"].append(_timed(self._helm(charted, "upgrade", chart)))
        self.clean_up()

    def _namespace(self) -> str:
        name = f"pgw-bench-{uuid.uuid4().hex[:8]}"
        _call([_kubectl(), "create", "namespace", name])
        self.namespaces.append(name)
        _call([_kubectl(), "-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s"])
        return name

    def _forget(self, namespace: str) -> None:
        """Empty the repository as far as it can be, and let the namespace go."""
        self.namespaces.remove(namespace)
        empty = "pgbackrest --stanza=main stop; pgbackrest --stanza=main --force stanza-delete"
        _quiet([_kubectl(), "-n", namespace, "exec", POD, "--", "bash", "-c", empty])
        _quiet([_kubectl(), "delete", "namespace", namespace, "--wait=false"])

    def clean_up(self) -> None:
        for namespace in list(self.namespaces):
            self._forget(namespace)

    # -- the two sides -----------------------------------------------------------------------------------------------

    def _answers(self, namespace: str) -> Path:
        file = self.folder / f"{namespace}.yaml"
        if not file.exists():
            file.write_text(
                json.dumps(
                    {
                        "release": {"namespace": namespace},
                        "storage": {"size": "1Gi"},
                        "resources": {"cpuRequest": "20m", "memoryRequest": "128Mi"},
                        "tuning": {
                            "memory": "512Mi",
                            "connections": 20,
                            "parameters": {"max_wal_size": "256MB", "min_wal_size": "64MB"},
                        },
                        "repository": {
                            "path": f"/pgwizard-bench/{namespace}",
                            "credentials": {
                                "from": "env",
                                "accessKey": "RIG_S3_ACCESS_KEY",
                                "secretKey": "RIG_S3_SECRET_KEY",
                            },
                        },
                    }
                )
            )
        return file

    def _pgwizard(self, namespace: str, *options: str) -> list[str]:
        script = Path(sys.executable).with_name("pgwizard")
        start = [str(script)] if script.is_file() else [sys.executable, "-m", "pgwizard"]
        answers = str(self._answers(namespace))
        return [*start, "--headless", answers, "--apply", f"--kubeconfig={KUBECONFIG}", *options]

    def _helm(self, namespace: str, verb: str, chart: Path) -> list[str]:
        """Without the hook, which the other side does not run either in what is measured."""
        helm = os.environ.get("RIG_HELM") or shutil.which("helm") or "helm"
        return [helm, verb, "bench", str(chart), "--namespace", namespace, "--no-hooks", f"--kubeconfig={KUBECONFIG}"]

    def _chart(self, namespace: str) -> Path:
        """The same objects as they are, with the values of the Secrets."""
        from pgwizard.cli.source import Source, resolve_plan
        from pgwizard.plan import manifests

        plan, _ = resolve_plan(Source(str(self._answers(namespace)), ca_file=os.environ["RIG_S3_CA"]))
        values = {
            "postgresql": {"username": "postgres", "password": uuid.uuid4().hex},
            "postgresql-pgbackrest-s3": {
                "accessKey": os.environ["RIG_S3_ACCESS_KEY"],
                "secretKey": os.environ["RIG_S3_SECRET_KEY"],
            },
        }
        chart = self.folder / f"chart-{namespace}"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: static\nversion: 0.1.0\n")
        for manifest in manifests.render(plan):
            obj = manifest.object
            if obj["kind"] == "Secret" and obj["metadata"]["name"] in values:
                obj = {**obj, "stringData": values[obj["metadata"]["name"]]}
            text = yaml.safe_dump(obj).replace("{{", '{{ "{{" }}')
            (chart / "templates" / manifest.file_name).write_text(text)
        return chart

    # -- requests ----------------------------------------------------------------------------------------------------

    def requests(self) -> dict[str, int]:
        """The requests of an apply that changes nothing, by what they are."""
        from pgwizard.answers import file as answers_file
        from pgwizard.clock import utc_now
        from pgwizard.kube import http as kube_http
        from pgwizard.kube.client import connect
        from pgwizard.local import inputs
        from pgwizard.release import apply

        namespace = self._namespace()
        _call(self._pgwizard(namespace))
        file = self._answers(namespace)
        answers = answers_file.load(file.read_bytes(), ()).answers
        assert answers is not None
        release = apply.ReleaseRequest(answers, inputs.read_secrets(answers, file.parent))
        counted: collections.Counter[str] = collections.Counter()
        send = kube_http.Http._exchange

        async def counting(http: kube_http.Http, call: kube_http.Call, credentials: Any) -> kube_http.Response:
            dry = " (dry run)" if ("dryRun", "All") in call.params else ""
            what = call.purpose.split("/")[0].rsplit(" ", 1)[0] if call.access else call.purpose
            counted[f"{call.method} {what}{dry}"] += 1
            return await send(http, call, credentials)

        async def approve(_: object) -> bool:
            return True

        async def work() -> apply.ApplyOutcome:
            async with await connect(kubeconfig_file=KUBECONFIG) as cluster:
                return await apply.run(release, cluster, lambda _: None, approve, apply.Options(), now=utc_now)

        kube_http.Http._exchange = counting  # type: ignore[method-assign,assignment]
        try:
            outcome = asyncio.run(work())
        finally:
            kube_http.Http._exchange = send  # type: ignore[method-assign]
        assert outcome.result == "unchanged", outcome
        return dict(sorted(counted.items()))


# ---- processes -----------------------------------------------------------------------------------------------------


def _kubectl() -> str:
    path = os.pathsep.join([os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")])
    return shutil.which("kubectl", path=path) or "kubectl"


def _quiet(command: Sequence[str]) -> None:
    environment = {**os.environ, "KUBECONFIG": KUBECONFIG}
    subprocess.run(command, check=False, capture_output=True, timeout=DEADLINE_SECONDS, env=environment)


def _call(command: Sequence[str]) -> None:
    environment = {**os.environ, "KUBECONFIG": KUBECONFIG}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def _timed(command: Sequence[str]) -> float:
    begin = time.perf_counter()
    _call(command)
    return _ms(time.perf_counter() - begin)


def _lines(command: Sequence[str], *wanted: Callable[[dict[str, Any]], bool]) -> list[float]:
    """When the process printed the first line of each kind that is wanted."""
    at: dict[int, float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            now = time.perf_counter()
            event = json.loads(line)
            for number, is_wanted in enumerate(wanted):
                if is_wanted(event):
                    at.setdefault(number, now)
    if process.returncode or len(at) < len(wanted):
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    return [at[number] for number in range(len(wanted))]


def _is_stored(event: dict[str, Any]) -> bool:
    """pgBackRest's own word: from here on the backup is valid; what follows is Kubernetes' bookkeeping of the Job."""
    return "backup command end: completed successfully" in str(event.get("text"))


def _is_proven(event: dict[str, Any]) -> bool:
    return event.get("stage") == "first backup" and event.get("kind") == "done"


def _ms(seconds: float) -> float:
    return seconds * 1000


# ---- showing -------------------------------------------------------------------------------------------------------


def _print(results: Sequence[Result], requests: dict[str, int]) -> None:
    heads = ("min ms", "median", "floor min", "median", "ratio", "target")
    print(f"{'measured':<44}", *(f"{head:>9}" for head in heads))
    for result in results:
        figures = (
            min(result.times),
            statistics.median(result.times),
            min(result.floors),
            statistics.median(result.floors),
        )
        verdict = "reported" if result.target is None else "met" if result.met else "MISSED"
        print(
            f"{result.name:<44}",
            *(f"{figure:9.0f}" for figure in figures),
            f"{result.ratio:9.2f}",
            f"{result.target:9.2f}" if result.target is not None else f"{'':>9}",
            f" {verdict} (against {result.floor_name})",
        )
    print(f"\nrequests of an apply that changes nothing: {sum(requests.values())}")
    for name, count in requests.items():
        print(f"  {count:>3}  {name}")
    listed = [{**asdict(result), "ratio": result.ratio, "met": result.met} for result in results]
    print(json.dumps({"results": listed, "requests": requests}))


if __name__ == "__main__":
    sys.exit(main())
