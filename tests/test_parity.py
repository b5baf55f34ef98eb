"""Both faces do the same: the wizard filled in through its widgets, and the answers it saves run headless."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import json
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from pgwizard.answers.schema import QuestionPath as Question
from pgwizard.answers.schema import is_union, page_of, tag_key
from pgwizard.cli import connect as cli_connect
from pgwizard.clock import utc_now
from pgwizard.kube.api import Cluster, Object, Ref, WriteResult
from pgwizard.local.files import write_folder, write_text
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Request
from pgwizard.tui.app import WizardApp
from pgwizard.tui.pages.choice import Choice
from pgwizard.tui.screens.apply import ApplyScreen
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import Start
from pgwizard.tui.widgets.dialogs import ChoiceDialog, Line, TextWindow
from support import simtime
from support.faulting import EVENT, LEASE, SECRET, secret, settle
from support.headless import CA, GOLDEN, run
from support.screens import opened, press, settled, until
from tui.test_wizard import driven, row

CASES = (
    "create-namespace",
    "defaults",
    "encrypted-from-env",
    "everything-changed",
    "existing-secrets-only",
    "mirrored-s3",
    "no-backups",
    "public-ca",
)
"""Golden cases that between them answer every question, with every kind of control."""
FILES = {"user": "postgres", "password": "a password", "id": "an id", "secret": "a secret"}
FROM_FILES: dict[str, Any] = {
    "credentials": {"from": "file", "username": "user", "password": "password"},
    "repository": {"credentials": {"from": "file", "accessKey": "id", "secretKey": "secret"}},
    "tls": {"source": None, "caFile": "trusted.pem"},
}
VARIABLES = {
    "DB_USER": "postgres",
    "DB_PASSWORD": "a password",
    "S3_KEY": "an id",
    "S3_SECRET": "a secret",
    "CIPHER_PASS": "a long passphrase",
}


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


WORLD: list[Object] = [
    *map(namespace, ("data", "storage")),
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast"},
        "provisioner": "demo.local/path",
        "allowVolumeExpansion": True,
    },
    *(
        secret(name, place, **keys)
        for place in ("default", "shop")
        for name, keys in (
            ("shop-superuser", {"user": "shop", "pass": "a password"}),
            ("shop-cipher", {"phrase": "a long passphrase"}),
            ("shop-s3", {"AWS_ACCESS_KEY_ID": "an id", "AWS_SECRET_ACCESS_KEY": "a secret"}),
        )
    ),
    *(secret("postgresql-pgbackrest-s3", place, accessKey="an id", secretKey="a secret") for place in ("data", "shop")),
    {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "databases"},
        "value": 1000,
    },
    {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor"}, "handler": "runsc"},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "database", "namespace": "shop"}},
    secret("object-store", "storage", id="an id", secret="a secret"),
    secret("object-store-tls", "storage", **{"ca.crt": CA.read_text()}),
]


class Recording(SimCluster):
    """Keeps what was written or tried as well: (what was done, the body or what the request was about)."""

    bodies: list[tuple[str, Any]]

    def _note(self, done: str, about: Any) -> None:
        vars(self).setdefault("bodies", []).append((done, same(about)))

    async def apply(self, obj: Object, *, dry_run: bool = False, force: bool = False) -> WriteResult:
        self._note(f"apply {Ref.of(obj)} dry_run={dry_run} force={force}", obj)
        return await super().apply(obj, dry_run=dry_run, force=force)

    async def create(self, obj: Object, *, dry_run: bool = False) -> WriteResult:
        self._note(f"create {obj['kind']} dry_run={dry_run}", obj)
        return await super().create(obj, dry_run=dry_run)

    async def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> WriteResult:
        self._note(f"patch {ref} dry_run={dry_run}", patch)
        return await super().patch(ref, patch, dry_run=dry_run)

    async def replace(self, obj: Object) -> WriteResult:
        self._note(f"replace {Ref.of(obj)}", obj)
        return await super().replace(obj)

    async def delete(self, ref: Ref, **how: Any) -> None:
        self._note(f"delete {ref}", {key: value for key, value in how.items() if key != "uid"})
        await super().delete(ref, **how)


_OWN = frozenset(
    {"uid", "resourceVersion", "creationTimestamp", "controller-uid", "batch.kubernetes.io/controller-uid"}
)
"""What a server generates for each object."""
_RANDOM = re.compile(r"(?<=-init-)[a-z0-9]{5}\b|(?<=pvc-)[0-9a-f-]{36}")
"""The random end of a pod's name, and of a volume's."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00(:00)?| UTC)?")


def same(body: Any) -> Any:
    """A body without what differs from run to run: uids, random names, versions and times, those of the record too.

    Generated passwords and salts are no exception: the test takes the chance out of them.
    """
    if isinstance(body, Mapping):
        if body.get("type") == record.TYPE:
            decoded = {key: json.loads(base64.b64decode(text)) for key, text in body["data"].items()}
            return same({**body, "type": "as read", "data": decoded})
        return {key: same(value) for key, value in body.items() if key not in _OWN}
    if isinstance(body, (list, tuple)):
        return [same(item) for item in body]
    return _RANDOM.sub("*", _MOMENT.sub("a moment", body)) if isinstance(body, str) else body


def stored(sim: SimCluster) -> dict[str, Any]:
    """Everything in the cluster. Events and the Lease tell of the time that things took, a status of how far it is."""
    objects = (obj for obj in sim.store.everything() if obj["kind"] not in (EVENT.kind, LEASE.kind))
    return {
        same(str(Ref.of(obj))): same({key: value for key, value in obj.items() if key != "status"}) for obj in objects
    }


async def furnished() -> Recording:
    """The example world, and what the golden cases refer to."""
    sim = Recording(clock=simtime.LoopClock())
    async with sim:
        for obj in WORLD:
            await sim.create(obj)
    return sim


# ---- the wizard ----------------------------------------------------------------------------------------------------


MAPS = {
    *(("tuning", "parameters"), ("advanced", "options"), ("jobs", "labels"), ("jobs", "annotations")),
    *(("pods", "labels"), ("pods", "annotations"), ("pods", "nodeSelector")),
}
"""Questions that are answered with names and values."""


def given(answers: Mapping[str, Any], path: Question = ()) -> Iterator[tuple[Question, Any]]:
    """Each answer of a file, as a person comes to it: what chooses an alternative before what is kinds_of in it."""
    for key, value in answers.items():
        here = (*path, key)
        if isinstance(value, Mapping) and here not in MAPS:
            if is_union(here):
                yield here, value.get(tag_key(here) or "", "given")
            yield from given({name: item for name, item in value.items() if name != tag_key(here)}, here)
        else:
            yield here, "null" if value is None and is_union(here) else value


def typed(value: Any) -> str:
    """An answer as a person types it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "; ".join(f"{name}={typed(item)}" for name, item in value.items())
    return ", ".join(map(typed, value)) if isinstance(value, list) else "" if value is None else str(value)


SHORT = 6
"""Letters that are typed one by one; what is longer is pasted, as a person does."""


async def fill(pilot: Pilot[int], wizard: Wizard, answers: Mapping[str, Any]) -> None:
    """Answer question by question: choices by the arrow keys, everything else typed or pasted over the present text."""
    for path, value in given(answers):
        if wizard.page != page_of(path[0]):
            await wizard.go(page_of(path[0]))
        control = row(wizard, ".".join(path)).control
        if isinstance(control, Choice):
            wanted = {True: "yes", False: "no"}.get(value, str(value))
            assert wanted in control.options, f"{'.'.join(path)}: {wanted} is not among {control.options}"
            control.focus()
            while control.value != wanted:
                await press(pilot, "right")
        else:
            control.focus()
            text = typed(value)
            if len(text) <= SHORT:  # the focus has selected the text
                await press(pilot, *(text or ["backspace"]))
            else:
                pilot.app.post_message(Paste(text))
            await until(pilot, lambda control=control, text=text: cast("Input", control).value == text)  # type: ignore[misc]
        await settled(pilot)


@dataclass
class Did:
    """What one apply kinds_of of the cluster, and what it left there."""

    requests: list[Request]
    bodies: list[tuple[str, Any]]
    stored: dict[str, Any]

    @classmethod
    def since(cls, first: tuple[int, int], sim: Recording) -> Did:
        """first: as ``so_far`` returned before the apply. The Lease, which is renewed as time goes by, is left out."""
        bodies = [body for body in sim.bodies[first[1] :] if f" {LEASE.kind}" not in body[0]]
        return cls(sim.requests[first[0] :], bodies, stored(sim))


def so_far(sim: Recording) -> tuple[int, int]:
    return len(sim.requests), len(sim.bodies)


async def applied(pilot: Pilot[int], sim: Recording) -> Did:
    """f9, y, and back again; what was kinds_of of the cluster meanwhile."""
    await until(pilot, lambda: all(worker.is_finished for worker in pilot.app.workers))
    first = so_far(sim)
    await press(pilot, "f9")
    await until(pilot, lambda: isinstance(pilot.app.screen, ApplyScreen))
    screen = cast("ApplyScreen", pilot.app.screen)
    await until(pilot, lambda: screen.is_asking or screen.run.state in ("ended", "failed"))
    if screen.is_asking:
        await press(pilot, "y")
    await until(pilot, lambda: screen.run.state in ("ended", "failed"))
    assert screen.run.state == "ended", screen.ending
    did = Did.since(first, sim)
    await press(pilot, "escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, Wizard))
    return did


async def by_wizard(sim: Recording, answers: Mapping[str, Any]) -> list[Did]:
    """Fill in, save, export, apply twice."""

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(sim)

    app = WizardApp(Start(connect, write_text, utc_now, export=write_folder))
    async with opened(app, size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Wizard) and app.connection.cluster is not None)
        wizard = cast("Wizard", app.screen)
        await fill(pilot, wizard, answers)
        await until(pilot, lambda: all(worker.is_finished for worker in app.workers))
        await until(pilot, lambda: not wizard.draft.problems)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Line))
        await press(pilot, "enter")
        await until(pilot, lambda: Path("answers.yaml").exists() and app.screen is wizard)
        await wizard.go("Review")
        await press(pilot, "e")
        await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(app.screen, Line))
        await press(pilot, "enter")
        await until(pilot, lambda: Path("manifests").exists() and isinstance(app.screen, TextWindow))
        await press(pilot, "escape")
        return [await applied(pilot, sim), await applied(pilot, sim)]


# ---- headless ------------------------------------------------------------------------------------------------------


def by_file(sim: Recording, monkeypatch: pytest.MonkeyPatch) -> list[Did]:
    """The saved answers, applied twice as the command line does."""

    @contextlib.asynccontextmanager
    async def connected(_: cli_connect.ClusterSource) -> AsyncIterator[Cluster]:
        async with sim:
            yield sim

    monkeypatch.setattr(cli_connect, "open_cluster", connected)
    monkeypatch.setattr(asyncio, "run", simtime.run)
    did = []
    for _ in range(2):
        first = so_far(sim)
        done = run("apply", "answers.yaml", "--yes")
        assert done.code == 0, done.err
        settle(sim)
        did.append(Did.since(first, sim))
    return did


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def kinds_of(requests: list[Request]) -> set[tuple[str, str, bool]]:
    """Verb, path and whether it is a dry run. Reads run side by side, in any order; a wait may read more often."""
    return {(request.verb, same(request.path), request.dry_run) for request in requests}


def written(requests: list[Request]) -> list[str]:
    """What was written or tried, in its order; the Lease, which is renewed as time goes by, left out."""
    writing = (
        request for request in requests if (request.is_write or request.dry_run) and request.resource != "leases"
    )
    return [f"{request.verb} {request.path} {'tried' if request.dry_run else ''}" for request in writing]


@pytest.mark.parametrize("case", [*CASES, "from files"])
def test_the_wizard_and_its_saved_answers_do_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "5a" * size)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "x" * size)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for name, value in FILES.items():
        Path(name).write_text(value)
    shutil.copy(CA, Path.cwd().parent / "ca.crt")
    answers = FROM_FILES if case == "from files" else yaml.safe_load((GOLDEN / case / "answers.yaml").read_text())

    source = answers.get("tls", {}).get("source", {})
    place = {"namespace": "minio", "secret": "minio-tls", "key": "tls.crt"} | (source or {})
    sim = simtime.run(furnished())
    another = copy.deepcopy(sim)
    trusted = sim.store.peek(Ref(SECRET, place["secret"], place["namespace"]))
    assert trusted is not None
    Path("trusted.pem").write_bytes(base64.b64decode(trusted["data"][place["key"]]))
    wizard = simtime.run(by_wizard(sim, answers))

    # the same bytes
    ca = ["--ca-file", "trusted.pem"] if source is not None else []
    exported = run("export", "answers.yaml", "--format", "yaml", "-o", "headless", *ca)
    assert exported.code == 0, exported.err
    assert texts(Path("manifests")) == texts(Path("headless"))
    if case in {"everything-changed", "no-backups", "public-ca"}:  # no certificate, or the very one
        assert texts(Path("manifests")).items() <= texts(GOLDEN / case / "manifests").items()

    # the same requests, the same bytes in them, and the same cluster afterwards
    headless = by_file(another, monkeypatch)
    for number, verb in enumerate(("install", "once more")):
        assert written(wizard[number].requests) == written(headless[number].requests), verb
        assert kinds_of(wizard[number].requests) == kinds_of(headless[number].requests), verb
        assert wizard[number].bodies == headless[number].bodies, verb
        assert wizard[number].stored == headless[number].stored, verb
    assert [request for request in wizard[1].requests if request.is_write] == []


@pytest.mark.parametrize("case", ["encrypted-from-env", "everything-changed", "public-ca", "semicolons"])
def test_answers_that_are_only_looked_at_stay_as_they_are(case: str) -> None:
    if case == "semicolons":
        answers = {"tuning": {"parameters": {"log_line_prefix": " %m; %p=", "work_mem": "16MB", "jit": False}}}
    else:
        answers = yaml.safe_load((GOLDEN / case / "answers.yaml").read_text())
    before = yaml.safe_dump(answers)

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        for page in wizard.pages.order.names:
            await wizard.go(page)
            await settled(pilot)
            await press(pilot, "end")
        await until(pilot, lambda: all(worker.is_finished for worker in pilot.app.workers))
        assert yaml.safe_dump(wizard.draft.raw) == before

    driven(scenario, raw=answers, ready=lambda wizard: wizard.page == wizard.pages.order.names[1])
