"""What the tests of the headless path share: answers to plans, runs in this process, certificates."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pgwizard.answers.questions import Answers
from pgwizard.cli import main
from pgwizard.plan import manifests
from pgwizard.plan.plan import Facts, Plan, resolve
from pgwizard.tls.certificates import Bundle, read_bundle

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
CA = GOLDEN / "ca.crt"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@functools.cache
def trusted() -> Bundle:
    """The certificate of the golden files."""
    return read_bundle(CA.read_bytes())


def planned(answers: Answers, ca: Bundle | None = None) -> Plan:
    """The plan of answers that a mirrored certificate goes with."""
    return resolve(answers, Facts(ca=ca or trusted()))


def rendered(answers: Answers | None = None, ca: Bundle | None = None) -> dict[str, dict[str, Any]]:
    """The objects of answers, by their role."""
    return {item.role: item.object for item in manifests.render(planned(answers or Answers(), ca))}


def answers_of(**sections: Any) -> Answers:
    """Answers from the keys of the file; defaults for all else."""
    return Answers.model_validate(sections)


@dataclass(frozen=True)
class Run:
    """What a run of the program left behind."""

    code: int
    out: str
    err: str


def run(*arguments: str | Path, stdin: bytes = b"") -> Run:
    """Run the program in this process."""
    out, err = _stream(), _stream()
    code = 0
    with _standard_input(stdin), redirect_stdout(out), redirect_stderr(err):
        try:
            main.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
    return Run(code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@contextmanager
def _standard_input(data: bytes) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before


@functools.cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_key() -> bytes:
    """A private key as PEM."""
    return _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate(
    name: str = "minio", begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=1)
) -> x509.Certificate:
    """A self-signed certificate, valid from and until so long after the present moment."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, _key().public_key(), 1, now + begins, now + ends)
    return builder.sign(_key(), hashes.SHA256())


def pem(of: x509.Certificate) -> bytes:
    return of.public_bytes(serialization.Encoding.PEM)


def der(of: x509.Certificate) -> bytes:
    return of.public_bytes(serialization.Encoding.DER)
