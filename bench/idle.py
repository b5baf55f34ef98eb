"""Whether a status screen that nobody touches grows: ``python bench/idle.py [--minutes 30] [NAME -n NAMESPACE]``.

It opens ``pgwizard status`` on a terminal of its own and reads the resident memory of the process. The first third is
warming up: lists fill, caches settle. What the rest adds is judged against a bound. Exit code 1 where it is passed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

GROWTH_MIB = 3.0
"""What the allocator's fragments may add; a leak of one snapshot a second would add more within minutes."""
SAMPLE_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    options, status = parser.parse_known_args()
    samples = _watched(["status", *(status or ["--demo"])], options.minutes * 60)
    settled = samples[len(samples) // 3 :]
    third = max(1, len(settled) // 3)
    before, after = min(settled[:third]), min(settled[-third:])
    print(f"{len(samples)} samples: {samples[0]:.1f} MiB at first, {max(samples):.1f} at most")
    grown = after - before
    print(f"after warming up {before:.1f} MiB, at the end {after:.1f}: {grown:+.1f} MiB, at most {GROWTH_MIB:+.1f}")
    return 0 if grown <= GROWTH_MIB else 1


def _watched(arguments: list[str], seconds: float) -> list[float]:
    """The resident memory in MiB, every ten seconds."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color")
        script = str(Path(sys.executable).with_name("pgwizard"))
        os.execv(script, [script, *arguments])
    samples: list[float] = []
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        begin = time.monotonic()
        while (now := time.monotonic()) < begin + seconds:
            ready, _, _ = select.select([terminal], [], [], 1)
            if ready and not os.read(terminal, 65536):
                break
            if now >= begin + SAMPLE_SECONDS * (len(samples) + 1):
                samples.append(_resident_mib(process))
        return samples
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def _resident_mib(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
