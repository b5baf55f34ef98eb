"""The browser of Secrets against ``kubectl get secrets -A``, on a real cluster in one run: ``python bench/browser.py``.

It makes 10,000 Secrets, 300 of them with real certificates, in namespaces of its own, and removes them at the end.
Every round does each side in turn (A B A B ...), and targets that are ratios are judged by the minimum of each side,
the first row by the median, waits for a key by the 99th percentile of all rounds. The application runs in processes of
its own, on terminals of their own: for the first row it is opened by its key on the wizard's TLS page. A key is due
each 33 ms from a tenth of a second after f4 on, whatever the application does then, and has been answered when the
line of its cursor has been written.
Exit code 1 where a target is missed.

Needs PGWIZARD_TEST_KUBECONFIG (or KUBECONFIG) and kubectl: what ``eval "$(rig env)"`` sets.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import fcntl
import gc
import json
import os
import pty
import resource
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
SPACES = 20
SIDE_BY_SIDE = 48
KEY_EVERY_SECONDS = 0.033  # a key that is held down
HELD_FROM_SECONDS = 0.1  # after f4: no hand is quicker
DEADLINE_SECONDS = 60
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One target: its figures, what they are compared with, and the most that is allowed."""

    name: str
    value: float
    unit: str
    floor: float
    target: float
    against: str

    @property
    def ratio(self) -> float:
        return self.value / self.floor

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


def main() -> int:
    options = _options()
    if options.inside:
        gc.set_threshold(50_000)  # as the command line does
        Path(options.result).write_text(json.dumps(asyncio.run(_inside(options.inside, options.tls))))
        return 0
    os.environ["KUBECONFIG"] = KUBECONFIG
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: modules are compiled
    prefix = f"pgw-bench-{uuid.uuid4().hex[:6]}"
    try:
        asyncio.run(_furnish(prefix, options.secrets, options.tls))
        figures = _measured(options.rounds, options.tls)
    finally:
        names = [f"{prefix}-{number:02}" for number in range(SPACES)]
        subprocess.run(
            ["kubectl", "delete", "namespace", "--wait=false", *names], stdout=subprocess.DEVNULL, check=False
        )
    for figure in figures:
        said = "met" if figure.met else "MISSED"
        print(
            f"{figure.name:<52}{figure.value:9.1f} {figure.unit:<4}{figure.ratio:7.3f} x{figure.target:7.3f}  {said}"
            f" (against {figure.against})"
        )
    return 0 if all(figure.met for figure in figures) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side (default 5)")
    parser.add_argument("--secrets", type=int, default=10_000, help="how many Secrets (default 10,000)")
    parser.add_argument("--tls", type=int, default=300, help="how many of them with certificates (default 300)")
    parser.add_argument("--inside", choices=["app", "direct"], help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
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


def _measured(rounds: int, tls: int) -> list[Figure]:
    listing: list[float] = []
    direct: list[float] = []
    inside: list[dict[str, Any]] = []
    _kubectl(), _child("direct", tls), _child("app", tls)  # the first of each warms the caches and compiles the modules
    for _ in range(rounds):
        listing.append(_kubectl())
        began = time.time()
        direct.append((_child("direct", tls)["all_tls_at"] - began) * 1000)
        inside.append(_child("app", tls))
    floor = min(listing)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"kubectl get secrets -A: min {floor:.0f} ms, median {statistics.median(listing):.0f} ms; {load}")
    waits = sorted(wait for one in inside for wait in one["keys"])
    late = waits[min(len(waits) - 1, int(len(waits) * 0.99))]
    kubectl = "kubectl get secrets -A"

    def best(name: str) -> float:
        return float(min(one[name] for one in inside))

    firsts = [one["first_row"] for one in inside]
    peak = max(one["peak_mib"] for one in inside)
    print(f"first row from {min(firsts):.0f} to {max(firsts):.0f} ms; ", end="")
    print(f"{len(waits)} keys, median {statistics.median(waits):.0f} ms, at most {waits[-1]:.0f} ms")
    return [
        Figure("first row after opening the browser", statistics.median(firsts), "ms", 60, 1, "60 ms"),
        Figure("all TLS Secrets with their certificates", best("certificates"), "ms", floor, 0.05, kubectl),
        Figure("the metadata of every Secret", best("everything"), "ms", floor, 0.5, kubectl),
        Figure("from exec to all TLS rows painted", min(direct), "ms", floor, 0.35, kubectl),
        Figure("key press to paint while loading, p99", late, "ms", 50, 1, "50 ms"),
        Figure("peak memory", peak, "MiB", 150, 1, "150 MiB"),
    ]


def _kubectl() -> float:
    begin = time.perf_counter()
    subprocess.run(["kubectl", "get", "secrets", "-A"], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begin) * 1000


def _child(what: str, tls: int) -> dict[str, Any]:
    """The application on a terminal of its own, which is read as it writes."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        process, terminal = pty.fork()
        if process == 0:
            os.environ["TERM"] = "xterm-256color"
            command = [sys.executable, __file__, "--inside", what, "--result", str(result), "--tls", str(tls)]
            os.execv(command[0], command)
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            end = time.monotonic() + 2 * DEADLINE_SECONDS
            written = b""
            with contextlib.suppress(OSError):  # the end of the process is the end of its terminal
                while time.monotonic() < end:
                    if select.select([terminal], [], [], 1)[0]:
                        written = (written + os.read(terminal, 65536))[-4_000:]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(terminal)
        if not result.exists():
            raise RuntimeError(f"the application ended without a result: {written.decode(errors='replace')}")
        found: dict[str, Any] = json.loads(result.read_text())
        return found


# ---- inside the application ----------------------------------------------------------------------------------------


async def _inside(what: str, tls: int) -> dict[str, Any]:
    from pgwizard.tui import app as tui_app
    from pgwizard.tui.app import WizardApp
    from pgwizard.tui.start import Start

    async def connect(stack: AsyncExitStack) -> Any:
        from pgwizard.kube.client import connect as real

        return await stack.enter_async_context(await real())

    seen = Seen(tls)

    class App(WizardApp):
        CSS_PATH = str(Path(tui_app.__file__ or "").with_name("pgwizard.tcss"))

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            if renderable is not None:
                search = getattr(screen, "secrets", None)
                seen.painted(getattr(screen, "listing", None), search is not None and search.certificates_read)

    start = Start(connect, lambda _path, _text: None, loaded=gc.freeze)
    app = App(replace(start, screen="pgwizard.tui.screens.secret_browser:SecretBrowser") if what == "direct" else start)
    task = asyncio.create_task(app.run_async())
    async with asyncio.timeout(DEADLINE_SECONDS):
        if what == "direct":
            await seen.all_tls.wait()
        else:
            await _opened(app, seen)
    app.exit()
    await task
    return {
        "first_row": seen.first_row_ms,
        "all_tls_at": seen.all_tls_at,
        "keys": seen.keys,
        "certificates": seen.marks.get("certificates"),
        "everything": seen.marks.get("everything"),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class Seen:
    """What was painted when. Times of keys are those at which they were due, whatever the application did then."""

    def __init__(self, tls: int) -> None:
        self.tls = tls
        self.opened = 0.0
        self.first_row_ms: float | None = None
        self.all_tls = asyncio.Event()
        self.all_tls_at = 0.0
        self.due: list[float] = []
        self.keys: list[float] = []
        self.moved = self.drawn = 0
        self.marks: dict[str, float] = {}

    def painted(self, listing: Any, certificates_read: bool) -> None:
        """The terminal has the new lines."""
        now, rows = time.perf_counter(), getattr(listing, "rows", ())
        if not rows:
            return
        if self.first_row_ms is None:
            self.first_row_ms = (now - self.opened) * 1000
        if certificates_read and not self.all_tls_at and sum(row.bundle is not None for row in rows) >= self.tls:
            self.all_tls_at = time.time()
            self.all_tls.set()
        self.keys += [(now - due) * 1000 for due in self.due[len(self.keys) : self.drawn]]

    def watch(self, search: Any, listing: Any) -> None:
        """Note what the search takes in, and which move of the cursor was drawn last."""
        take, go, render_line = search.take, listing._go, listing.render_line

        def taken(self: Any, batch: Any) -> None:
            take(self, batch)
            if self.certificates_read:
                seen.marks.setdefault("certificates", (time.perf_counter() - seen.opened) * 1000)
            if batch.done:
                found = [row for rows in self.findings.by_place.values() for row in rows]
                assert sum(row.bundle is not None for row in found) >= seen.tls, "certificates are missing"
                seen.marks["everything"] = (time.perf_counter() - seen.opened) * 1000

        def moved(self: Any, cursor: int) -> None:
            go(self, cursor)
            seen.moved += 1

        def drawn(self: Any, y: int) -> Any:
            if round(self.scroll_offset.y) + y == self.cursor:
                seen.drawn = seen.moved
            return render_line(self, y)

        seen = self
        search.take, listing._go, listing.render_line = taken, moved, drawn


async def _opened(app: Any, seen: Seen) -> None:
    """The wizard on its TLS page, f4, and a key that is held down until everything is read."""
    from textual import events

    await app.connection.once_connected()
    await asyncio.sleep(1)
    app.call_later(app.screen.go, "TLS", ("tls", "source", "secret"))
    await asyncio.sleep(4)  # the page's own look through the Secrets has ended

    from pgwizard.tui.secret_search import SecretSearch
    from pgwizard.tui.widgets.secret_list import SecretList

    seen.watch(SecretSearch, SecretList)
    over, loop = threading.Event(), asyncio.get_running_loop()

    def hold() -> None:
        due = seen.opened + HELD_FROM_SECONDS
        while not over.wait(max(0.0, due - time.perf_counter())):
            seen.due.append(due)
            loop.call_soon_threadsafe(app.post_message, events.Key("down", None))
            due += KEY_EVERY_SECONDS

    seen.opened = time.perf_counter()
    app.post_message(events.Key("f4", None))
    holding = asyncio.create_task(asyncio.to_thread(hold))
    while "everything" not in seen.marks:
        await asyncio.sleep(0.01)
    over.set()
    await holding
    while len(seen.keys) < len(seen.due):
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
