"""The browser of Secrets against bare prototypes, on a real cluster in one run: ``python bench/browser.py``.

It makes 10,000 Secrets, 300 of them with real certificates, in namespaces of its own, and removes them at the end.
Every round does each side in turn (A B A B ...). The applications run on terminals of their own; the browser is opened
by its key on the wizard's TLS page. A held key is due each 33 ms from a tenth of a second after F4 on, whatever the
application does then, and has been answered when the list has been painted after it.

The prototypes do the same requests with aiohttp, json and cryptography alone: one without a screen, one in a bare
Textual app that shows the certificates in an ``OptionList``.

Needs PGWIZARD_TEST_KUBECONFIG (or KUBECONFIG) and kubectl: what ``eval "$(rig env)"`` sets.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from figures import Figure, median_of, quantile, show
from terminals import Terminal, reporter

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
SPACES = 20
SIDE_BY_SIDE = 48
KEY_EVERY_SECONDS = 0.033  # a key that is held down
HOLD_FROM_SECONDS = 0.1  # after F4: no hand is quicker
DEADLINE_SECONDS = 120
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}
SIDES = ("prototype", "browser", "scrolling", "bare")
"""What runs in turn: no screen; the browser left alone; the browser, then the bare app, with a key held down."""


def main() -> int:
    options = _options()
    if options.inside:
        return _inside(options.inside, options.tls)
    os.environ["KUBECONFIG"] = KUBECONFIG
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: modules are compiled
    prefix = options.use or f"pgw-bench-{uuid.uuid4().hex[:6]}"
    try:
        if not options.use:
            asyncio.run(_furnish(prefix, options.secrets, options.tls))
        figures = _figures(options.rounds, options.tls)
    finally:
        if options.keep:
            print(f"kept: --use {prefix}")
        elif not options.use:
            names = [f"{prefix}-{number:02}" for number in range(SPACES)]
            command = ["kubectl", "delete", "namespace", "--wait=false", *names]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return show(figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    parser.add_argument("--secrets", type=int, default=10_000, help="how many Secrets (default 10,000)")
    parser.add_argument("--tls", type=int, default=300, help="how many of them with certificates (default 300)")
    parser.add_argument("--keep", action="store_true", help="leave the Secrets for another run")
    parser.add_argument("--use", metavar="PREFIX", help="use the Secrets that a run with --keep left")
    parser.add_argument("--inside", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- the Secrets ---------------------------------------------------------------------------------------------------


async def _furnish(prefix: str, count: int, tls: int) -> None:
    from pgwizard.kube.client import connect

    begin = time.perf_counter()
    async with await connect() as cluster:
        for number in range(SPACES):
            await cluster.create({**NAMESPACE, "metadata": {"name": f"{prefix}-{number:02}"}})
        gate = asyncio.Semaphore(SIDE_BY_SIDE)

        async def make(obj: dict[str, Any]) -> None:
            async with gate:
                await cluster.create(obj)

        async with asyncio.TaskGroup() as group:
            for obj in _secrets(prefix, count, tls):
                group.create_task(make(obj))
    print(
        f"{count:,} Secrets, {tls} of them with certificates, made in {time.perf_counter() - begin:.0f} s", flush=True
    )


def _secrets(prefix: str, count: int, tls: int) -> list[dict[str, Any]]:
    pairs = _pairs(tls)
    objects = []
    for number in range(count):
        metadata = {"namespace": f"{prefix}-{number % SPACES:02}", "name": f"secret-{number:05}"}
        obj: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        if number < tls:
            obj |= {"type": "kubernetes.io/tls", "data": pairs[number]}
        else:
            obj |= {"type": "Opaque", "data": {"config": base64.b64encode(os.urandom(300)).decode()}}
        objects.append(obj)
    return objects


def _pairs(count: int) -> list[dict[str, str]]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

    authority = rsa.generate_private_key(65537, 2048)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench CA")])
    now = datetime.now(UTC)
    pairs = []
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        host = f"service-{number}.example.com"
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        builder = x509.CertificateBuilder(subject, issuer, key.public_key(), number + 1, now, now + timedelta(days=90))
        names = x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName(f"www.{host}")])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        pem = builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pairs.append({"tls.crt": base64.b64encode(pem).decode(), "tls.key": base64.b64encode(private).decode()})
    return pairs


# ---- from outside --------------------------------------------------------------------------------------------------


def _figures(rounds: int, tls: int) -> list[Figure]:
    taken: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(rounds + 1):  # the first of each warms the caches and compiles the modules
        for side in SIDES:
            result = _run(side, tls)
            if number:
                taken[side].append(result)
    prototype, browser, scrolling, bare = (taken[side] for side in SIDES)
    waits, bare_waits = ([wait for each in side for wait in each["keys"]] for side in (scrolling, bare))
    print(f"{len(waits)} keys: median {statistics.median(waits):.0f} ms, at most {max(waits):.0f} ms; ", end="")
    print(f"bare app, {len(bare_waits)}: {statistics.median(bare_waits):.0f} ms, at most {max(bare_waits):.0f} ms")
    alone, app = "the same requests without a screen", "a bare Textual app"

    def against_prototype(name: str, what: str, target: float | None, unit: str = "ms") -> Figure:
        return Figure(name, median_of(browser, what), median_of(prototype, what), alone, target, unit)

    return [
        Figure("first row after F4", median_of(browser, "first_row"), median_of(bare, "first_row"), app, 1.5),
        against_prototype("all TLS Secrets with their certificates", "certificates", 1.5),
        against_prototype("the metadata of every Secret", "everything", 1.5),
        against_prototype("the metadata of every Secret", "cpu", None, "ms of CPU"),
        Figure("held key to paint, p99", quantile(waits, 0.99), quantile(bare_waits, 0.99), app, 2),
        Figure("peak memory", max(each["peak_mib"] for each in scrolling), 150, "150 MiB", 1, "MiB"),
    ]


def _run(side: str, tls: int) -> dict[str, Any]:
    with Terminal([__file__, "--inside", side, "--tls", str(tls)]) as terminal:
        result = terminal.report(DEADLINE_SECONDS)
    if result is None:
        raise SystemExit(f"{side} has not ended within {DEADLINE_SECONDS} s")
    return result


# ---- the prototypes ------------------------------------------------------------------------------------------------


async def _fetch(took: Callable[[str, list[str]], None], server: str, session: Any) -> None:
    """The bare work: TLS Secrets with their certificates, then the metadata of all. took: what came, and its names."""
    import json

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    async with session.get(f"{server}/api/v1/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls") as response:
        items = json.loads(await response.read())["items"]
    rows = []
    for item in items:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(item["data"]["tls.crt"]))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        about = (
            certificate.subject.rfc4514_string(),
            certificate.fingerprint(SHA256()).hex(),
            certificate.not_valid_after_utc,
        )
        rows.append(f"{item['metadata']['namespace']}/{item['metadata']['name']} {about} {list(names)}")
    took("certificates", rows)
    rows, token = [], ""
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    while True:
        more = f"&continue={token}" if token else ""
        async with session.get(f"{server}/api/v1/secrets?limit=500{more}", headers=accept) as response:
            page = json.loads(await response.read())
        rows += [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    took("everything", rows)


async def _session(stack: AsyncExitStack) -> tuple[str, Any]:
    """The server, and a session that has talked to it already, as the wizard's has."""
    import aiohttp
    from raw_api import server_and_context

    server, context = server_and_context(KUBECONFIG)
    # The server takes longer to compress a list than this machine to receive it whole.
    headers = {"Accept-Encoding": "identity"}
    client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), headers=headers)
    session = await stack.enter_async_context(client)
    async with session.get(f"{server}/version") as response:
        await response.read()
    return server, session


async def _prototype(_tls: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        server, session = await _session(stack)
        marks: dict[str, Any] = {}
        begin, used = time.perf_counter(), time.process_time()
        await _fetch(lambda what, _: marks.update({what: _ms_since(begin)}), server, session)
        return marks | {"cpu": (time.process_time() - used) * 1000}


async def _bare(tls: int) -> dict[str, Any]:
    from textual.app import App, ComposeResult
    from textual.screen import Screen
    from textual.widgets import Input, OptionList, Static

    class BareList(Screen[None]):
        def compose(self) -> ComposeResult:
            yield Input()
            yield OptionList()
            yield Static("loading")

        def on_mount(self) -> None:
            self.query_one(OptionList).focus()
            self.run_worker(_fetch(self.took, server, session))

        def took(self, what: str, rows: list[str]) -> None:
            if what == "certificates":
                self.query_one(OptionList).add_options(rows)
            seen.mark(what)

    class BareBrowser(App[None]):
        BINDINGS = [("f4", "browse", "browse")]  # noqa: RUF012 - as Textual's own examples have it

        def action_browse(self) -> None:
            self.push_screen(BareList())

    async with AsyncExitStack() as stack:
        server, session = await _session(stack)
        app, seen = BareBrowser(), Seen(tls)
        seen.watch(OptionList, "action_cursor_down", lambda listing: listing.option_count > 0)
        task = asyncio.create_task(app.run_async())
        await asyncio.sleep(1)
        await seen.run(app, scrolling=True)
        app.exit()
        await task
    return seen.result()


# ---- the browser ---------------------------------------------------------------------------------------------------


async def _browser(tls: int, *, scrolling: bool) -> dict[str, Any]:
    from pgwizard.clock import utc_now
    from pgwizard.tui.app import WizardApp
    from pgwizard.tui.screens.secret_browser import SecretBrowser
    from pgwizard.tui.start import Start
    from pgwizard.tui.widgets.secret_list import SecretList
    from pgwizard.wizard import browse

    async def connect(stack: AsyncExitStack) -> Any:
        from pgwizard.kube.client import connect as real

        return await stack.enter_async_context(await real())

    app, seen = WizardApp(Start(connect, lambda _path, _text: None, utc_now, on_load=gc.freeze)), Seen(tls)
    task = asyncio.create_task(app.run_async())
    await app.connection.once_connected()
    await asyncio.sleep(1)
    screen: Any = app.screen
    app.call_later(screen.go, "TLS", ("tls", "source", "secret"))
    await asyncio.sleep(4)  # the page's own look through the Secrets has ended
    find = browse.browse

    async def noted(*arguments: Any) -> AsyncGenerator[Any, None]:
        """The batches, with the times at which the screen has taken them in."""
        async with aclosing(find(*arguments)) as batches:
            async for batch in batches:
                yield batch
                if batch.certificates_read:
                    seen.mark("certificates")
                if batch.is_done:
                    seen.mark("everything")

    browse.browse = noted  # type: ignore[assignment]
    seen.watch(SecretList, "move", lambda listing: bool(listing.rows))
    await seen.run(app, scrolling=scrolling)
    assert isinstance(app.screen, SecretBrowser)
    items = [row for rows in app.screen.feed.secrets.findings.by_place.values() for row in rows]
    assert sum(row.bundle is not None for row in items) >= tls, "certificates are missing"
    app.exit()
    await task
    return seen.result()


# ---- what was painted when -----------------------------------------------------------------------------------------


class Seen:
    """Times in ms after F4; those of keys begin when the key was due, whatever the application did then."""

    def __init__(self, tls: int) -> None:
        self.tls = tls
        self.opened = self.used = self.cpu = 0.0
        self.marks: dict[str, float] = {}
        self.due: list[float] = []
        self.keys: list[float] = []
        self.moved = self.drawn = 0
        self.has_rows = False

    def mark(self, what: str) -> None:
        self.marks.setdefault(what, _ms_since(self.opened))
        if what == "everything":
            self.cpu = (time.process_time() - self.used) * 1000

    def watch(self, kind: Any, move: str, has_rows: Callable[[Any], bool]) -> None:
        """Note each move of a list's cursor, and which of them was drawn last."""
        import paints

        go, render_line = getattr(kind, move), kind.render_line

        def moved(listing: Any, *arguments: Any) -> Any:
            result = go(listing, *arguments)
            self.moved += 1
            return result

        def drawn(listing: Any, y: int) -> Any:
            if has_rows(listing):
                self.has_rows, self.drawn = True, self.moved
            return render_line(listing, y)

        setattr(kind, move, moved)
        kind.render_line = drawn
        paints.ON_PAINT.append(self.painted)

    def painted(self, now: float) -> None:
        if self.has_rows:
            self.marks.setdefault("first_row", (now - self.opened) * 1000)
        self.keys += [(now - due) * 1000 for due in self.due[len(self.keys) : self.drawn]]

    async def run(self, app: Any, *, scrolling: bool) -> None:
        """F4, and a key that is held down until everything is read."""
        from textual import events

        over, loop = threading.Event(), asyncio.get_running_loop()

        def hold() -> None:
            due = self.opened + HOLD_FROM_SECONDS
            while not over.wait(max(0.0, due - time.perf_counter())):
                self.due.append(due)
                loop.call_soon_threadsafe(app.post_message, events.Key("down", None))
                due += KEY_EVERY_SECONDS

        self.opened, self.used = time.perf_counter(), time.process_time()
        app.post_message(events.Key("f4", None))
        holding = asyncio.create_task(asyncio.to_thread(hold)) if scrolling else None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while "everything" not in self.marks or "first_row" not in self.marks:
                await asyncio.sleep(0.01)
            over.set()
            if holding is not None:
                await holding
            while len(self.keys) < len(self.due):
                await asyncio.sleep(0.01)

    def result(self) -> dict[str, Any]:
        return self.marks | {"keys": self.keys, "cpu": self.cpu}


def _ms_since(begin: float) -> float:
    return (time.perf_counter() - begin) * 1000


def _inside(side: str, tls: int) -> int:
    report = reporter()
    if side in ("browser", "scrolling"):
        from pgwizard.cli.main import GC_THRESHOLD

        gc.set_threshold(GC_THRESHOLD)
        result = asyncio.run(_browser(tls, scrolling=side == "scrolling"))
    else:
        result = asyncio.run(_prototype(tls) if side == "prototype" else _bare(tls))
    report(result | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
    return 0


if __name__ == "__main__":
    sys.exit(main())
