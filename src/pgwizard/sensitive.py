"""A secret on its way from where it is kept to the API server.

It refuses to be printed, compared, pickled or formatted; ``reveal`` is called where it is sent, and nowhere else.
"""

from __future__ import annotations

from typing import NoReturn


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
