"""What goes wrong around the wizard: each has its message in its place, and the wizard keeps working."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static

from pgwizard.cli import start
from pgwizard.errors import Unreachable
from pgwizard.kube.api import Cluster, ListPage, Object, Ref, Resource
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.record import Record, Revision
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, FaultKind
from pgwizard.simulator.world import HOSTILE
from pgwizard.text import plain
from pgwizard.tui.app import WizardApp
from pgwizard.tui.panels.base import Panel
from pgwizard.tui.screens.apply import ApplyScreen
from pgwizard.tui.screens.secret_browser import SecretBrowser
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import ClusterChoice
from support import simtime
from support.faulting import NAMESPACE, SECRET
from support.faulting import cluster as simulated
from support.headless import _key, pem
from support.screens import notices, opened, painted, press, settled, until
from tui.test_secret_browser import searched
from tui.test_wizard import driven, listed, note, row


async def continue_elsewhere(pilot: Pilot[int], wizard: Wizard) -> None:
    """Another page can be answered."""
    await wizard.go("Storage")
    await until(pilot, lambda: bool(wizard.query("#page-Storage QuestionRow")))
    cast("Input", row(wizard, "storage.size").control).value = "33Gi"
    await until(pilot, lambda: wizard.draft.answers.storage.size == "33Gi")


def text(screen: Screen[Any], selector: str) -> str:
    return str(screen.query_one(selector, Static).content)


# ---- no connection -------------------------------------------------------------------------------------------------

PLUGINS = {
    "asks": "#!/bin/sh\nread answer || { echo 'no terminal to ask on' >&2; exit 3; }\n",
    "fails": "#!/bin/sh\nprintf 'the \\033[31mlogin\\033[0m has ended' >&2\nexit 4\n",
}


def kubeconfig(user: dict[str, Any]) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "there", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "here", "context": {"cluster": "there", "user": "me"}}],
            "current-context": "here",
        }
    )


def plugin(command: str, mode: str = "IfAvailable") -> str:
    version = "client.authentication.k8s.io/v1"
    return kubeconfig({"exec": {"apiVersion": version, "command": command, "interactiveMode": mode}})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, ["kubeconfig does not exist"]),
        ("clusters: [", ["kubeconfig is not valid YAML, line 2"]),
        ("- a list\n", ["kubeconfig, line 1: the document is a list; expected a mapping"]),
        (kubeconfig({"token": "a token"}), ["127.0.0.1:1", "refused"]),
        (plugin("./is-not-there"), ["is-not-there cannot be started: No such file or directory"]),
        (plugin("./asks"), ["asks failed with exit code 3: no terminal to ask on"]),
        (plugin("./asks", "Always"), ["asks wants a terminal of its own"]),
        (plugin("./fails"), ["fails failed with exit code 4: the [31mlogin [0m has ended"]),
    ],
    ids=["missing", "broken", "no mapping", "unreachable", "no plug-in", "asks", "asks always", "fails"],
)
def test_a_failed_connection_shows_its_cause_on_the_first_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, config: str | None, words: list[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    for name, script in PLUGINS.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o700)
    if config is not None:
        (folder / "kubeconfig").write_text(config)

    async def main() -> None:
        app = WizardApp(start.start(kubeconfig=str(folder / "kubeconfig")))
        async with opened(app, size=(120, 40)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Wizard) and app.connection.trouble is not None)
            wizard = cast("Wizard", app.screen)
            await until(pilot, lambda: note(wizard, "clusters").startswith("✗"))
            for word in words:
                assert word in note(wizard, "clusters")
            assert "type the name and press Enter" in note(wizard, "namespaces")
            await continue_elsewhere(pilot, wizard)

    simtime.run(main())


# ---- what changes midway -------------------------------------------------------------------------------------------


async def approval(pilot: Pilot[int]) -> ApplyScreen:
    """f9, until the approval is waited for, or it has failed before."""
    await press(pilot, "f9")
    await until(pilot, lambda: isinstance(pilot.app.screen, ApplyScreen))
    screen = cast("ApplyScreen", pilot.app.screen)
    await until(pilot, lambda: screen.is_asking or screen.run.state == "failed")
    return screen


async def back(pilot: Pilot[int], wizard: Wizard, key: str = "escape") -> None:
    await press(pilot, key)
    await until(pilot, lambda: pilot.app.screen is wizard)


async def picking(pilot: Pilot[int], wizard: Wizard, page: str, path: str) -> str:
    """Open the list of a question; the text above it."""
    await wizard.go(page)
    row(wizard, path).control.focus()
    await press(pilot, "f4")
    return text(await listed(pilot), "#note")


async def browsing(pilot: Pilot[int], wizard: Wizard, path: str) -> SecretBrowser:
    """Open the browser of Secrets for a question, and let it read all."""
    row(wizard, path).control.focus()
    await press(pilot, "f4")
    await until(pilot, lambda: isinstance(pilot.app.screen, SecretBrowser))
    browser = cast("SecretBrowser", pilot.app.screen)
    await searched(pilot, browser)
    return browser


def sim_of(pilot: Pilot[int]) -> SimCluster:
    return cast("SimCluster", cast("WizardApp", pilot.app).connection.cluster)


def test_a_token_that_expires_during_an_apply_is_reported() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim = sim_of(pilot)
        sim.faults = [Fault("401", times=None)]
        assert await picking(pilot, wizard, "Storage", "storage.storageClass") == (
            "! cannot list storageclasses: Unauthorized: type the name"
        )
        await back(pilot, wizard)
        wizard.draft.learn(wizard.draft.facts)  # what a look-up would have found in the meantime
        screen = await approval(pilot)
        assert "Unauthorized" in screen.ending[0]
        assert any(line.startswith("fix") and "Log in again" in line for line in screen.ending), screen.ending
        sim.faults = []
        await press(pilot, "r")
        await until(pilot, lambda: screen.is_asking)
        await back(pilot, wizard)
        await continue_elsewhere(pilot, wizard)

    driven(scenario)


SHOP = {
    "release": {"namespace": "shop"},
    "repository": {
        "credentials": {"from": "existing", "namespace": "default", "secret": "postgresql-pgbackrest-s3"},
    },
}


def test_a_namespace_that_is_deleted_after_it_was_chosen_is_reported() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim_of(pilot).store.remove(Ref(NAMESPACE, "shop"))
        screen = await approval(pilot)
        assert screen.ending == [
            "✗       the cluster does not have what the answers name; nothing was written",
            (
                "        release.namespace: namespace shop does not exist: set release.createNamespace to true, or run "
                "kubectl create namespace shop"
            ),
        ]
        await back(pilot, wizard, "enter")
        await until(pilot, lambda: row(wizard, "release.namespace").control.has_focus)
        await continue_elsewhere(pilot, wizard)

    driven(scenario, raw=SHOP)


def test_a_namespace_that_is_being_deleted_is_named_before_anything_is_tried() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim = sim_of(pilot)
        namespace = sim.store.peek(Ref(NAMESPACE, "shop"))
        assert namespace is not None
        namespace["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
        sim.store.put(namespace)
        screen = await approval(pilot)
        assert screen.ending == [
            "✗       what the answers name cannot be used as it is; nothing was written",
            (
                "        release.namespace: namespace shop is being deleted, with everything in it   Wait until it is "
                "gone (kubectl wait namespace/shop --for=delete --timeout=10m) and apply again, or choose "
                "another namespace."
            ),
        ]
        await back(pilot, wizard, "enter")

    driven(scenario, raw=SHOP)


def test_a_namespace_that_is_deleted_after_the_review_is_reported() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        screen = await approval(pilot)
        sim_of(pilot).store.remove(Ref(NAMESPACE, "shop"))
        await press(pilot, "y")
        await until(pilot, lambda: screen.run.state == "failed")
        assert 'namespaces "shop" not found' in screen.ending[0]
        await back(pilot, wizard)
        await continue_elsewhere(pilot, wizard)

    driven(scenario, raw=SHOP)


def test_a_secret_that_is_deleted_before_the_apply_is_reported() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim_of(pilot).store.remove(Ref(SECRET, "postgresql-pgbackrest-s3", "default"))
        screen = await approval(pilot)
        assert screen.ending == [
            "✗       the cluster does not have what the answers name; nothing was written",
            "        repository.credentials.secret: Secret default/postgresql-pgbackrest-s3 does not exist",
        ]
        await back(pilot, wizard, "enter")
        await until(pilot, lambda: row(wizard, "repository.credentials.secret").control.has_focus)
        await continue_elsewhere(pilot, wizard)

    driven(scenario)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("reset-before", "closed by the other side"),
        ("410", "too old to display a consistent list result"),
        ("500", "etcdserver: leader changed"),
    ],
)
def test_a_watch_that_drops_for_good_fails_the_apply_and_r_resumes_it(kind: FaultKind, words: str) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim = sim_of(pilot)
        sim.faults = [Fault(kind, verb="watch", resource="statefulsets", times=None)]
        screen = await approval(pilot)
        await press(pilot, "y")
        await until(pilot, lambda: screen.run.state == "failed")
        assert screen.ending[0].startswith("✗       cannot watch statefulsets in namespace default: ")
        assert words in screen.ending[0]
        assert screen.ending[-1] == "written 12 of 12 objects (the Job of the first backup not counted)"
        sim.faults = []
        await press(pilot, "r")
        await until(pilot, lambda: screen.is_asking)
        await press(pilot, "y")
        await until(pilot, lambda: screen.run.state == "ended")
        assert screen.ending[0] == "✓       Release is up. First full backup succeeded."
        await back(pilot, wizard)
        await continue_elsewhere(pilot, wizard)

    driven(scenario)


def test_a_watch_that_was_left_behind_lists_again() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim = sim_of(pilot)
        screen = await approval(pilot)
        await press(pilot, "y")
        await until(pilot, lambda: any(request.verb == "watch" for request in sim.requests))
        sim.store.compact()
        await until(pilot, lambda: screen.run.state in ("ended", "failed"))
        assert screen.ending[0] == "✓       Release is up. First full backup succeeded."
        await back(pilot, wizard)
        await continue_elsewhere(pilot, wizard)

    driven(scenario)


# ---- what may not be read ------------------------------------------------------------------------------------------

LISTS = ("namespaces", "storageclasses", "services", "secrets")


@pytest.mark.parametrize("denied", [*((one,) for one in LISTS), LISTS], ids="+".join)
def test_a_list_without_permission_says_so_and_a_name_can_be_typed(denied: tuple[str, ...]) -> None:
    def cluster() -> SimCluster:
        sim = simulated()
        for one in denied:
            sim.rules.deny("list", one)
        return sim

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        for what, words in (("namespaces", ("waiting", "reading")), ("releases", ("waiting", "looking"))):
            await until(pilot, lambda what=what, words=words: not note(wizard, what).startswith(words))  # type: ignore[misc]
        namespaces = note(wizard, "namespaces").startswith(
            "! no permission to list namespaces: type the name and press Enter"
        )
        assert namespaces == ("namespaces" in denied)
        assert note(wizard, "releases").startswith("! cannot list secrets") == ("secrets" in denied)

        classes = await picking(pilot, wizard, "Storage", "storage.storageClass")
        assert classes.startswith("! cannot list storageclasses: ") == ("storageclasses" in denied)
        await back(pilot, wizard)
        await until(pilot, lambda: "waiting for the cluster" not in wizard.query_one(Panel).shown_text.plain)
        panel = wizard.query_one(Panel).shown_text.plain
        assert ("! cannot list storageclasses: " in panel) == ("storageclasses" in denied)

        services = await picking(pilot, wizard, "Repository", "repository.endpoint")
        assert services.startswith("! cannot list services: ") == ("services" in denied)
        await press(pilot, *"there:9000", "enter")
        await until(pilot, lambda: pilot.app.screen is wizard)
        assert wizard.draft.answers.repository.endpoint == "there:9000"

        await wizard.go("TLS")
        browser = await browsing(pilot, wizard, "tls.source.secret")
        assert ("may not be read (why: F7)" in text(browser, "#counts")) == ("secrets" in denied)
        detail = text(browser, "#detail")
        why = "namespaces may not be listed, so only" if "namespaces" in denied else "Secrets may not be listed there"
        assert (why in detail) == ("secrets" in denied)
        await back(pilot, wizard)
        await continue_elsewhere(pilot, wizard)

    driven(scenario, cluster=cluster)


# ---- very many -----------------------------------------------------------------------------------------------------


class Stopped(SimCluster):
    """A cluster whose list of namespaces stops after its first page, until it is let go."""

    def __init__(self) -> None:
        super().__init__(speed=50)
        self.go = asyncio.Event()

    async def pages(
        self, resource: Resource, namespace: str | None = None, **more: Any
    ) -> AsyncGenerator[ListPage, None]:
        async with aclosing(super().pages(resource, namespace, **more)) as pages:
            async for page in pages:
                yield page
                if resource == NAMESPACE:
                    await self.go.wait()


def test_keys_work_while_five_thousand_namespaces_load() -> None:
    sim = Stopped()
    for number in range(5_000):
        sim.store.put(sim.store.birth(named("Namespace", f"team-{number:04}")))

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: note(wizard, "namespaces") == "loading namespaces")
        await press(pilot, *"4321", "ctrl+n")
        assert wizard.page == "Release"
        await press(pilot, "ctrl+b")
        assert wizard.page == "Connect"
        assert note(wizard, "namespaces") == "loading namespaces"
        sim.go.set()
        await until(pilot, lambda: "1 of 5010" in str(wizard.query_one("#namespaces .hint", Static).content))
        await press(pilot, *["backspace"] * 4, "t")
        assert "5005 of 5010, the first 500 shown" in str(wizard.query_one("#namespaces .hint", Static).content)
        await press(pilot, "backspace", *"team-4321", "enter")
        await until(pilot, lambda: wizard.draft.answers.release.namespace == "team-4321")
        await continue_elsewhere(pilot, wizard)

    driven(scenario, cluster=lambda: sim, ready=lambda wizard: wizard.page == "Connect")


# ---- what would take over a terminal -------------------------------------------------------------------------------

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ARABIC = "\u0645\u0631\u062d\u0628\u0627"
NASTY = f"{HOSTILE} {ARABIC} [@click=app.quit]x[/]"


def named(kind: str, name: str, namespace: str | None = None, version: str = "v1", **more: Any) -> Object:
    metadata = {"name": name, "annotations": {"example.com/note": NASTY}, "labels": {"app": "minio"}}
    metadata |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def nasty() -> SimCluster:
    """A cluster, or a man in the middle, with texts that no API server would take."""
    sim = simulated()
    objects = [
        named("Namespace", NASTY),
        named("StorageClass", NASTY, version="storage.k8s.io/v1", provisioner=NASTY, reclaimPolicy=NASTY),
        named("Service", NASTY, "minio", spec={"ports": [{"name": NASTY, "port": 9000}]}),
        named("Secret", NASTY, "default", type=NASTY, data={NASTY: "eA==", "tls.crt": "eA=="}),
        named("Secret", "nasty-key", "minio", type="Opaque", data={NASTY: "eA==", "tls.crt": "eA=="}),
    ]
    for at in (NASTY, 5):
        revision = Revision(1, cast("str", at), "deployed", "", {})
        objects.append(Record(ReleaseRef("minio", f"{at}"), revisions=(revision,)).secret())
    for obj in objects:
        sim.store.put(sim.store.birth(obj))
    return sim


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_text_from_a_cluster_never_reaches_the_terminal_unescaped(size: tuple[int, int]) -> None:
    def places() -> list[ClusterChoice]:
        async def unreachable(_: AsyncExitStack) -> Cluster:
            raise Unreachable(f"no connection to {plain(NASTY)}")

        return [
            ClusterChoice(NASTY, NASTY, NASTY, unreachable),
            ClusterChoice(f"2 {NASTY}", NASTY, NASTY, unreachable, runs=NASTY),
        ]

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        async def clean() -> str:
            await settled(pilot)
            result = painted(pilot)
            assert CONTROLS.findall(result) == [], result
            return result

        await until(pilot, lambda: note(wizard, "releases").startswith("1 release in this cluster"))
        await until(pilot, lambda: "owned" in str(wizard.query_one("#namespaces OptionList", OptionList).options))
        await clean()
        wizard.query_one("#namespaces FilterInput").focus()
        await press(pilot, *"owned")
        await until(pilot, lambda: "1 of 11" in painted(wizard))
        await clean()
        for page, path in (
            ("Storage", "storage.storageClass"),
            ("Repository", "repository.endpoint"),
            ("Repository", "repository.credentials.namespace"),
        ):
            await picking(pilot, wizard, page, path)
            await clean()
            await press(pilot, *"owned")
            assert "1 of" in await clean()
            await press(pilot, "enter")
            await until(pilot, lambda: pilot.app.screen is wizard)
            await clean()
        for page, path in (("TLS", "tls.source.secret"), ("Repository", "repository.credentials.secret")):
            await wizard.go(page)
            await browsing(pilot, wizard, path)
            await clean()
            await press(pilot, *"nasty", "enter")
            await clean()
            await press(pilot, "escape", *"hostile", "enter")
            await clean()
            await press(pilot, "escape")
            await back(pilot, wizard)
        await wizard.go("Review")
        await clean()
        await press(pilot, "2")
        await clean()

    driven(scenario, size, cluster=nasty, places=places)


# ---- a thousand names ----------------------------------------------------------------------------------------------


def thousand() -> SimCluster:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a thousand names")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName(f"host-{number}.example.com") for number in range(999)] + [x509.DNSName("minio.minio.svc")]
    )
    builder = x509.CertificateBuilder(name, name, _key().public_key(), 1, now - timedelta(1), now + timedelta(1))
    certificate = builder.add_extension(names, critical=False).sign(_key(), hashes.SHA256())
    sim = simulated()
    data = {"tls.crt": base64.b64encode(pem(certificate)).decode()}
    sim.store.put(sim.store.birth(named("Secret", "thousand", "minio", type="Opaque", data=data)))
    return sim


def test_a_certificate_with_a_thousand_names_can_be_shown() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("TLS")
        browser = await browsing(pilot, wizard, "tls.source.secret")
        await press(pilot, *"thousand", "enter")
        await until(pilot, lambda: "1,000 in all" in text(browser, "#detail"))
        assert "host-0.example.com" in text(browser, "#detail")
        await press(pilot, "enter")
        await until(pilot, lambda: any("Enter again selects it" in notice for notice in notices(pilot)))
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is wizard)
        await settled(pilot)
        assert wizard.draft.answers.tls.source is not None
        assert wizard.draft.answers.tls.source.secret == "thousand"
        await until(pilot, lambda: "a thousand names" in painted(wizard))
        await continue_elsewhere(pilot, wizard)

    driven(scenario, cluster=thousand)
