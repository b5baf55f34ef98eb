"""The browser of Secrets against ``kubectl get secrets -A``, on a real cluster in one run: ``python bench/secrets.py``.

It makes 10,000 Secrets, 300 of them with real certificates, in namespaces of its own, and removes them at the end.
Every round does each side in turn (A B A B ...), and targets that are ratios are judged by the minimum of each side;
waits for a key by the 99th percentile of all rounds. The application runs without a terminal, in processes of its own.
Exit code 1 where a target is missed.

Needs PGWIZARD_TEST_KUBECONFIG (or KUBECONFIG) and kubectl: what ``eval "$(rig env)"`` sets.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
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
    sys.path.remove(str(Path(__file__).parent))  # this file has the name of a standard module that aiohttp imports
    options = _options()
    if options.inside:
        gc.set_threshold(50_000)  # as the command line does
        print(json.dumps(asyncio.run(_inside(options.inside))), flush=True)
        return 0
    os.environ["KUBECONFIG"] = KUBECONFIG
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: modules are compiled
    prefix = f"pgw-bench-{uuid.uuid4().hex[:6]}"
    try:
        asyncio.run(_furnish(prefix, options.secrets, options.tls))
        figures = _measured(options.rounds)
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
    return parser.parse_args()


# ---- the Secrets ---------------------------------------------------------------------------------------------------


async def _furnish(prefix: str, count: int, tls: int) -> None:
    from pgwizard.cluster import connect

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


def _measured(rounds: int) -> list[Figure]:
    listing: list[float] = []
    direct: list[float] = []
    inside: list[dict[str, Any]] = []
    _kubectl(), _child("direct"), _child("app")  # the first of each warms the caches and compiles the modules
    for _ in range(rounds):
        listing.append(_kubectl())
        began = time.time()
        direct.append((_child("direct")["all_tls_at"] - began) * 1000)
        inside.append(_child("app"))
    floor = min(listing)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"kubectl get secrets -A: min {floor:.0f} ms, median {statistics.median(listing):.0f} ms; {load}")
    waits = sorted(wait for one in inside for wait in one["keys"])
    late = waits[min(len(waits) - 1, int(len(waits) * 0.99))]
    kubectl = "kubectl get secrets -A"

    def best(name: str) -> float:
        return float(min(one[name] for one in inside))

    firsts = statistics.median(one["first_row"] for one in inside)
    peak = max(one["peak_mib"] for one in inside)
    print(f"median of first row {firsts:.0f} ms; {len(waits)} keys, median {statistics.median(waits):.0f} ms")
    return [
        Figure("first row after opening the browser", best("first_row"), "ms", 60, 1, "60 ms"),
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


def _child(what: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--inside", what]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=2 * DEADLINE_SECONDS)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# ---- inside the application ----------------------------------------------------------------------------------------


async def _inside(what: str) -> dict[str, Any]:
    from pgwizard.tui import app as app_module
    from pgwizard.tui.app import Start, WizardApp

    async def connect(stack: AsyncExitStack) -> Any:
        from pgwizard.cluster import connect as real

        return await stack.enter_async_context(await real())

    seen: dict[str, Any] = {"keys": [], "first_row": None, "all_tls_at": None}

    done = asyncio.Event()

    class App(WizardApp):
        CSS_PATH = str(Path(app_module.__file__ or "").with_name("pgwizard.tcss"))
        pressed: tuple[float, int] | None = None
        opened = 0.0

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            rows = getattr(getattr(screen, "listing", None), "rows", ())
            if not rows or renderable is None:
                return
            moment = time.perf_counter()
            if seen["first_row"] is None:
                seen["first_row"] = (moment - self.opened) * 1000
            if seen["all_tls_at"] is None and screen.certificates_read:
                seen["all_tls_at"] = time.time()
                done.set()
            if self.pressed is not None and screen.listing.cursor != self.pressed[1]:
                seen["keys"].append((moment - self.pressed[0]) * 1000)
                self.pressed = None

    start = Start(connect, lambda _path, _text: None)
    app = App(replace(start, screen="pgwizard.tui.secrets:SecretBrowser") if what == "direct" else start)
    task = asyncio.create_task(app.run_async(headless=True, size=(120, 40)))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await (done.wait() if what == "direct" else _opened(app, seen))
    app.exit()
    await task
    return {**seen, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


async def _opened(app: Any, seen: dict[str, Any]) -> None:
    from textual import events

    await app.cluster_once_connected()

    from pgwizard.tui.secrets import SecretBrowser

    marks: dict[str, float] = {}

    class Browser(SecretBrowser):
        def _take(self, batch: Any) -> None:
            super()._take(batch)
            if self.certificates_read:
                marks.setdefault("certificates", time.perf_counter())
            if batch.done:
                marks["everything"] = time.perf_counter()

    await asyncio.sleep(2)  # the wizard is there, and has looked up what its answers name
    app.opened = begin = time.perf_counter()
    browser = Browser()
    app.call_later(app.push_screen, browser)
    while "everything" not in marks:
        await asyncio.sleep(KEY_EVERY_SECONDS)
        if app.pressed is None and browser.listing.rows:
            app.pressed = (time.perf_counter(), browser.listing.cursor)
            app.post_message(events.Key("down", None))
    await asyncio.sleep(0.2)
    seen |= {name: (moment - begin) * 1000 for name, moment in marks.items()}
    seen["rows"] = sum(map(len, browser.findings.by_place.values()))


if __name__ == "__main__":
    sys.exit(main())
