"""Waiting by the machine's clock, for what is outside of this process: other processes, sockets, a real cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

DEADLINE_SECONDS = 600.0
"""No test waits shorter than five minutes: a busy machine is not a defect."""
KUBECTL_DEADLINE = f"--timeout={DEADLINE_SECONDS:.0f}s"


def wait_until(what: str, reached: Callable[[], bool], seen: Callable[[], str] = str) -> None:
    """Look until it is so. seen: what to print where it never is.

    Most looks start a process on the machine that does the work: the longer it takes, the rarer they are.
    """
    began = time.monotonic()
    while not reached():
        waited = time.monotonic() - began
        assert waited < DEADLINE_SECONDS, f"waited {DEADLINE_SECONDS:.0f} s in vain until {what}\n{seen()}"
        threading.Event().wait(min(max(waited / 5, 0.05), 1))
