"""A secret on its way from where it is kept to the API server, and the secrets that answers refer to.

A secret cannot be printed, compared, pickled or formatted; ``reveal`` is called where it is sent, and nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from pgwizard.errors import Finding


class Sensitive:
    """A value that no log, diff, traceback or screen may show."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The value, for a sink that keeps it secret."""
        return self._value

    def __repr__(self) -> str:
        return "Sensitive(***)"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def value_problem(value: bytes) -> str:
    """Why a value cannot be meant, or cannot be given to a container as a variable; empty for any other.

    Servers refuse what a secret with a line break signs, and no container starts with a variable that is not UTF-8.
    """
    if not value:
        return "is empty"
    if value != value.strip():
        return "begins or ends with a blank or a line break"
    try:
        is_text = "\0" not in value.decode()
    except UnicodeDecodeError:
        is_text = False
    return "" if is_text else "is not text in UTF-8: no container would start with it"


@dataclass(frozen=True, slots=True)
class SecretInputs:
    """The secrets that answers refer to by variable or file, read by the face; a Finding where one is missing.

    Keys are role and key of the Secret: ``("credentials", "password")``, ``("s3", "accessKey")``, ``("cipher",
    "passphrase")``.
    """

    values: Mapping[tuple[str, str], Sensitive | Finding] = field(default_factory=dict)

    def of(self, role: str) -> dict[str, Sensitive | Finding]:
        """The values of one Secret by key."""
        return {key: value for (owner, key), value in self.values.items() if owner == role}


def access_key_doubts(access_key: bytes, name: str, question: str) -> Iterator[Finding]:
    """The finding that an S3 access key does not look like one; none where it does.

    name: of the key in the text, which does not hold the key itself. No S3 server gives a key with quotes around it, or
    with the end of base64.
    """
    fault, fix = _access_key_fault(access_key)
    if fault:
        yield Finding(question, f"{name} {fault}", severity="warning", fix=fix)


def _access_key_fault(access_key: bytes) -> tuple[str, str]:
    if access_key[:1] in (b'"', b"'") and access_key[:1] == access_key[-1:]:
        return "is in quotes, which would be part of it", "Store it without quotes."
    if access_key.endswith(b"=") and _is_coded_text(access_key):
        return "is encoded in base64 once more", "Store it as it is: kubectl create secret and stringData encode it."
    if access_key.startswith(b"ASIA") and len(access_key) == _AWS_KEY_BYTES:
        return (
            "is one of AWS's temporary keys (ASIA...), which need a session token and expire within hours",
            "Create a key pair that does not expire; its access key begins with AKIA.",
        )
    return "", ""


_AWS_KEY_BYTES = 20


def _is_coded_text(value: bytes) -> bool:
    try:
        return base64.b64decode(value, validate=True).decode("ascii").strip().isprintable()
    except ValueError:
        return False
