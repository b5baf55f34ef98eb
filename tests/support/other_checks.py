"""What check_pgbackrest and pgBackRest itself report of a release's repository."""

from __future__ import annotations

import re
import shutil
import subprocess

from support import archives
from support.live_releases import POD, Site
from support.rigtools import KUBECONFIG
from support.waiting import DEADLINE_SECONDS

ABSENT = "skipped"
_SERVICES = {
    "archives": ("--max-archives-check-number=10000",),
    "retention": ("--retention-full=1", "--retention-age=24h"),
}
"""The services of check_pgbackrest that read a repository, with what they need to judge it.

Without a highest number it does not end where it cannot tell how timelines follow one another, as with a clone's.
"""
_STATES = {0: "OK", 1: "WARNING", 2: "CRITICAL"}
"""Exit codes of a Nagios plugin; anything else is unknown."""
_IO_TIMEOUT_SECONDS = 2


def find_check_pgbackrest() -> str | None:
    """The program; Debian's package is check-pgbackrest."""
    return shutil.which("check_pgbackrest")


def check_pgbackrest(place: Site) -> str:
    """The states of both services, the archives' first; one word where they agree, and ``ABSENT`` without the program.

    It runs here, and what it calls, pgbackrest, in the database's pod.
    """
    program = find_check_pgbackrest()
    if program is None:
        return ABSENT
    kubectl = place.kubectl
    prefix = (
        f"{kubectl.binary} --kubeconfig={KUBECONFIG} -n {kubectl.namespace} exec {POD} -c postgresql -- "
        f"env PGBACKREST_IO_TIMEOUT={_IO_TIMEOUT_SECONDS}"
    )
    states = []
    for service, options in _SERVICES.items():
        words = [program, "--stanza=main", f"--service={service}", f"--prefix={prefix}", *options]
        done = subprocess.run(words, capture_output=True, timeout=DEADLINE_SECONDS, check=False)
        states.append(_STATES.get(done.returncode, "UNKNOWN"))
    return "/".join(dict.fromkeys(states))


def verify(place: Site) -> str:
    """The status that ``pgbackrest verify`` prints for the stanza; ``fails`` where it prints none."""
    _, out, _ = place.kubectl.outcome(
        *("exec", POD, "--container=postgresql", "--", "pgbackrest", archives.QUIET, "--stanza=main"),
        *(f"--io-timeout={_IO_TIMEOUT_SECONDS}", "--output=text", "--verbose", "verify"),
    )
    status = re.search(r"status: (\w+)", out.decode(errors="replace"))
    return status[1] if status else "fails"
