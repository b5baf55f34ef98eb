"""A secret on its way from where it is kept to the API server, and the secrets that answers refer to.

A secret cannot be printed, compared, pickled or formatted; ``reveal`` is called where it is sent, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
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
