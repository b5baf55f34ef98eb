"""Chains and names against the real pgBackRest: the one of this machine, and those of the images of a cluster.

Each case is a TLS server on the loopback address (``openssl s_server``) that pgBackRest connects to. Its host leads
there by /etc/hosts: in a mount namespace of its own here, by hostAliases in a pod.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pgwizard.plan import pgbackrest
from pgwizard.plan.manifests import repository_options
from pgwizard.plan.names import CA_FILE
from pgwizard.plan.plan import Facts, resolve
from pgwizard.plan.server import s3_server
from pgwizard.tls.certificates import read_bundle
from pgwizard.tls.chain import ChainVerdict, would_verify
from pgwizard.tls.names import Rules
from support.agreement import Row
from support.agreement_options import compare_options
from support.odd_certificates import DIFFERENCES, odd_cases
from support.pgbackrest_cases import HOSTS, DialCase, ServerCase, cases, dials
from support.rigtools import IMAGE, KUBECONFIG, Kubectl, find_kubectl, own_namespace, pod_object
from support.waiting import wait_until

CASES = 800
"""A few of them end before any certificate is looked at; 500 chains remain at least."""
SCRIPT = Path(__file__).with_name("pgbackrest_cases.sh")
OPTIONS_SCRIPT = Path(__file__).with_name("pgbackrest_options.sh")
IMAGES = ("15.0", "17", "18")
_FIRST_PORT = 20_000
_SIDE_BY_SIDE = 16
_OPTIONS_SIDE_BY_SIDE = 4
_REFUSAL = re.compile(
    r"unable to verify certificate presented by '[^']*': (?P<verify>\[[0-9]+\])"
    r"|unable to find hostname|TLS certificate name contains embedded null|common name is missing"
    r"|unable to set user-defined CA certificate location"
)
_PLACE = re.compile(r"(?:unable to connect to|certificate presented by|timeout connecting to) '([^' ]+)")
_ACCEPTED = "unable to find child 'IsTruncated'"
"""pgBackRest after the handshake: what ``s_server`` answers is no list of a bucket."""


@dataclass(frozen=True, slots=True)
class Pgbackrest:
    """One that can be run. run: what its script prints for a folder of cases, with an io-timeout. run_options: what
    the other script prints for files of options.
    """

    version: str
    place: str
    run: Callable[[Mapping[str, bytes], float], str]
    run_options: Callable[[Mapping[str, bytes]], str]

    def answers(self, cases: Sequence[ServerCase]) -> list[str | None]:
        """For each case: empty where it trusts the server, why not, None where no handshake took place.

        Those without a handshake are tried once more with more time.
        """
        items: dict[int, str | None] = {}
        for seconds in (1.0, 8.0):
            missing = [number for number in range(len(cases)) if items.get(number) is None]
            files = dict(_files({number: cases[number] for number in missing})) if missing else {}
            for line in self.run(files, seconds).splitlines() if files else ():
                number, _, printed = line.partition("\t")
                items[int(number)] = _outcome(printed)
        return [items.get(number) for number in range(len(cases))]

    def targets(self, cases: Sequence[DialCase]) -> list[str]:
        """Where it connects to, as host:port; what it printed where it does not tell."""
        items = dict[int, str]()
        files = {f"{number}/pgbackrest.conf": _configuration(case) for number, case in enumerate(cases)}
        for line in self.run(files, 1).splitlines():  # from 2.53 on it is a whole number of seconds
            number, _, printed = line.partition("\t")
            place = _PLACE.search(printed)
            items[int(number)] = place[1] if place else printed
        return [items.get(number, "") for number in range(len(cases))]


def _configuration(case: DialCase) -> bytes:
    pairs = [
        pair
        for pair in repository_options(resolve(case.answers, Facts()))
        if pair.name.startswith("repo1-") and pair.value != CA_FILE
    ]
    return "\n".join(["[global]", *(f"{pair.name}={pair.value}" for pair in pairs), ""]).encode()


def _outcome(printed: str) -> str | None:
    if refusal := _REFUSAL.search(printed):
        return refusal["verify"] or refusal[0]
    return "" if _ACCEPTED in printed else None


def _files(cases: Mapping[int, ServerCase]) -> Iterator[tuple[str, bytes]]:
    for number, case in cases.items():
        yield f"{number}/leaf.pem", case.sent[0]
        yield f"{number}/chain.pem", b"".join(case.sent[1:])
        yield f"{number}/key.pem", case.key
        yield f"{number}/trusted.pem", case.trusted
        yield f"{number}/target", f"{case.host} {_FIRST_PORT + number}\n".encode()


# ---- the program of this machine -----------------------------------------------------------------------------------

_WITH_HOSTS = 'mount --bind "$1/hosts" /etc/hosts && exec bash "$2" "$1/cases" "$3" "$4"'


def installed() -> Pgbackrest | str:
    """The one of this machine; why it cannot be run."""
    for program in ("pgbackrest", "openssl", "unshare", "bash"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    own_mounts = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    probe = subprocess.run(
        [*own_mounts, "mount", "--bind", "/etc/hosts", "/etc/hosts"], capture_output=True, check=False
    )
    if probe.returncode:
        return f"no mount namespace: {probe.stderr.decode(errors='replace').strip()}"

    def run(files: Mapping[str, bytes], io_timeout_seconds: float) -> str:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder, "cases", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            Path(folder, "hosts").write_text(f"127.0.0.1 localhost {' '.join(HOSTS)}\n")
            command = [*own_mounts, "bash", "-c", _WITH_HOSTS, "bash", folder, str(SCRIPT)]
            command += [str(_SIDE_BY_SIDE), f"{io_timeout_seconds:g}"]
            return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True).stdout

    def run_options(files: Mapping[str, bytes]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                Path(folder, name).write_bytes(content)
            command = ["bash", str(OPTIONS_SCRIPT), folder, str(_OPTIONS_SIDE_BY_SIDE)]
            return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True).stdout

    version = subprocess.run(["pgbackrest", "version"], capture_output=True, text=True, timeout=300, check=True).stdout
    return Pgbackrest(version.split()[-1], "this machine", run, run_options)


# ---- those of a cluster's images -----------------------------------------------------------------------------------

_UNPACK = """
folder="$(mktemp -d)" && cd "$folder" && tar -x -f - && bash script.sh cases "$@"
rm -rf "$folder"
"""


@contextlib.contextmanager
def in_image(kubectl: Kubectl, tag: str) -> Iterator[Pgbackrest]:
    """That of the chart's image with this tag, in a pod. Raises LookupError where the node does not have the image."""
    pod, name = pod_object("pgbackrest"), IMAGE.replace("15.0", tag)
    pod["spec"]["containers"][0] |= {"image": name, "imagePullPolicy": "Never"}
    pod["spec"]["hostAliases"] = [{"ip": "127.0.0.1", "hostnames": list(HOSTS)}]
    kubectl.run("apply", "-f", "-", data=json.dumps(pod).encode())
    try:
        state = "{.status.containerStatuses[0].state.waiting.reason}{.status.phase}"

        def has_settled() -> bool:
            result = kubectl.run("get", "pod", "pgbackrest", "-o", f"jsonpath={state}")[0].decode()
            if result.startswith("ErrImageNeverPull"):
                raise LookupError(f"the node has no image {name}")
            return result == "Running"

        wait_until(f"a pod of {name} runs", has_settled)

        def unpack(files: Mapping[str, bytes], script: Path, *arguments: str) -> str:
            unpacked = {f"cases/{path}": content for path, content in files.items()}
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for path, content in {**unpacked, "script.sh": script.read_bytes()}.items():
                    entry = tarfile.TarInfo(path)
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
            command = ("bash", "-c", _UNPACK, "bash", *arguments)
            return kubectl.exec("pgbackrest", *command, data=archive.getvalue()).decode()

        def run(files: Mapping[str, bytes], io_timeout_seconds: float) -> str:
            return unpack(files, SCRIPT, str(_SIDE_BY_SIDE), f"{io_timeout_seconds:g}")

        def run_options(files: Mapping[str, bytes]) -> str:
            return unpack(files, OPTIONS_SCRIPT, str(_OPTIONS_SIDE_BY_SIDE))

        version = kubectl.exec("pgbackrest", "pgbackrest", "version").decode()
        yield Pgbackrest(version.split()[-1], f"image {tag}", run, run_options)
    finally:
        kubectl.run("delete", "pod", "pgbackrest", "--now", "--ignore-not-found")


# ---- comparing -----------------------------------------------------------------------------------------------------


def verdict(case: ServerCase, version: str) -> ChainVerdict:
    """pgwizard's own."""
    sent = read_bundle(b"".join(case.sent))
    return would_verify(
        read_bundle(case.trusted), sent, case.host, datetime.now(UTC), pgbackrest.rules(pgbackrest.version(version))
    )


def compare_with(program: Pgbackrest, cases: Sequence[ServerCase]) -> list[Row]:
    """A row for chains and one for names."""
    answers = program.answers(cases)
    rows = []
    for what in ("chains", "names"):
        tried, wrong = 0, []
        for case, answer in zip(cases, answers, strict=True):
            if case.what == what and answer is not None:
                tried += 1
                wrong += _disagreement(case, answer, verdict(case, program.version))
        rows.append(Row(what, f"pgbackrest {program.version}, {program.place}", tried, tuple(wrong)))
    return rows


def compare_odd(program: Pgbackrest) -> Row:
    """Odd certificates and bundles. One that pgwizard does not judge, or differs on by design, is no disagreement."""
    odd, rules = list(odd_cases()), pgbackrest.rules(pgbackrest.version(program.version))
    tried, wrong = 0, []
    for case, answer in zip(odd, program.answers(odd), strict=True):
        ours = _odd_verdict(case, rules)
        if answer is None or ours is None:
            continue
        tried += 1
        is_same = bool(ours) is bool(answer) and (not ours.startswith("[") or ours.startswith(answer))
        if is_same is (case.label in DIFFERENCES):
            wrong.append(f"{case.label}: pgbackrest {answer or 'trusts it'}, pgwizard {ours or 'trusts it'}")
    return Row("odd", f"pgbackrest {program.version}, {program.place}", tried, tuple(wrong))


def _odd_verdict(case: ServerCase, rules: Rules) -> str | None:
    """Empty where pgwizard trusts the server, else why not; None where it leaves that to pgBackRest.

    In pgBackRest's words where it gets as far as a handshake.
    """
    try:
        sent = read_bundle(b"".join(case.sent))
        result = would_verify(read_bundle(case.trusted), sent, case.host, datetime.now(UTC), rules)
    except ValueError as error:
        return str(error)
    return None if result.ok is None else "" if result.ok else result.message or result.why


def compare_servers(program: Pgbackrest) -> Row:
    """Where pgBackRest connects to, with the configuration that pgwizard writes."""
    version = pgbackrest.version(program.version)
    chosen = [case for case in dials() if version >= case.since]
    wrong = []
    for case, target in zip(chosen, program.targets(chosen), strict=True):
        server = s3_server(case.answers)
        if target != f"{server.host}:{server.port}":
            wrong.append(f"{case.answers.repository}, {case.answers.advanced.options}: {target}, pgwizard {server}")
    return Row("servers", f"pgbackrest {program.version}, {program.place}", len(chosen), tuple(wrong))


def _disagreement(case: ServerCase, answer: str, ours: ChainVerdict) -> list[str]:
    """Empty where both agree, in what they refuse it for as well."""
    if ours.ok is (answer == "") and ours.message.startswith(answer):
        return []
    return [f"{case.label}: pgbackrest {answer or 'trusts it'}, pgwizard {ours.ok} {ours.message or ours.why}"]


def compare() -> Iterator[Row]:
    """For ``make agreement``."""
    all_cases = list(cases(CASES))
    here = installed()
    if isinstance(here, str):
        yield Row("chains", "pgbackrest, this machine", absent=here)
    else:
        yield from compare_with(here, all_cases)
        yield compare_odd(here)
        yield compare_servers(here)
        yield compare_options(here.version, here.place, here.run_options)
    binary = find_kubectl()
    if KUBECONFIG is None or binary is None:
        why = "PGWIZARD_TEST_KUBECONFIG names no cluster" if binary else "kubectl is not installed"
        yield Row("chains", "pgbackrest of the images", absent=why)
        return
    with own_namespace(binary, "pgw-agreement") as kubectl:
        for tag in IMAGES:
            try:
                with in_image(kubectl, tag) as program:
                    yield from compare_with(program, all_cases)
                    yield compare_odd(program)
                    yield compare_servers(program)
                    yield compare_options(program.version, program.place, program.run_options)
            except LookupError as error:
                yield Row("chains", f"pgbackrest, image {tag}", absent=str(error))
