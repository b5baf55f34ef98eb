"""Writes src/pgwizard/plan/pgbackrest.tsv: what releases of pgBackRest say of their own options.

    python tools/pgbackrest_options/make.py BINARY... > src/pgwizard/plan/pgbackrest.tsv
    python tools/pgbackrest_options/make.py --values BINARY... > tests/fixtures/pgbackrest_values.jsonl

Each binary is asked by running it with one option that is wrong on purpose: it names the option's dependencies, its
type, its range or its choices, and whether it is a secret. README.md says where the binaries come from. Nothing is
written and no server is spoken to: a command that accepts its options ends at a lock that it cannot take.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

Version = tuple[int, ...]
Row = tuple[str, str, str, str, str, str]

BROUGHT = {
    "annotation": (2, 41),
    "archive-expire-before": (2, 59),
    "allow-root": (2, 59),
    "archive-push-batch-size": (2, 59),
    "checksum-page-error": (2, 60),
    "page-header-check": (2, 46),
    "priority": (2, 58),
    "repo-block": (2, 46),
    "repo-bundle": (2, 39),
    "repo-bundle-limit": (2, 39),
    "repo-bundle-size": (2, 39),
    "repo-gcs-user-project": (2, 55),
    "repo-s3-process-cmd": (2, 59),
    "repo-s3-requester-pays": (2, 55),
    "repo-s3-service": (2, 59),
    "repo-s3-sse-customer-key": (2, 52),
    "repo-s3-sts-host": (2, 59),
    "repo-storage-prefetch": (2, 60),
    "repo-storage-read-over": (2, 60),
    "repo-storage-tag": (2, 48),
    "repo-storage-upload-chunk-size": (2, 41),
    "repo-symlink": (2, 57),
    "repo-target-time": (2, 54),
    "tls-cipher-12": (2, 58),
    "tls-cipher-13": (2, 58),
}
"""The release notes' word on what came between two binaries, or before the first. repo-block was a beta in 2.45."""
BROUGHT_PREFIX = {"repo-sftp-": (2, 46), "repo-block-": (2, 46)}
CHANGED = {"repo-storage-upload-chunk-size": (2, 58), "repo-s3-key-type": (2, 58), "backup-standby": (2, 54)}
"""The release that changed an option's range or choices, where it is not that of the binary that shows it first."""
EARLIER = {"compress-level-network": ("0", "9")}
"""The range of a release that does not say it, and that is not the next one's: from its configuration reference."""

SAMPLES = {
    "repo-s3-bucket": "bucket",
    "repo-s3-endpoint": "s3.invalid",
    "repo-s3-region": "region",
    "repo-azure-container": "container",
    "repo-gcs-bucket": "bucket",
    "pg-path": "/none",
}
COMMANDS = (
    "backup",
    "expire",
    "stanza-create",
    "archive-push",
    "archive-get",
    "restore",
    "check",
    "server",
    "server-ping",
    "info",
    "verify",
)
NEEDS = {"repo-cipher-": {"repo1-cipher-type": "aes-256-cbc"}}
SECRETS = ("CIPHER_PASS", "S3_KEY", "S3_KEY_SECRET", "S3_TOKEN", "AZURE_ACCOUNT", "AZURE_KEY", "GCS_KEY")
ELSEWHERE = ("pg-host", "repo-azure", "repo-gcs", "repo-host", "repo-sftp", "tls-server")
"""Families that a release with one pod and an S3 repository cannot use: their values are not looked into."""


class Binary:
    """One release, as a program that can be asked."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path, self.folder = path, folder
        output = self.run("version").split()[-1]
        self.version: Version = tuple(int(part) for part in output.split("."))[:2]
        self.commands = self._commands()

    def run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self.path, *arguments], capture_output=True, text=True, timeout=20, check=False, env=ENVIRONMENT
            )
        except subprocess.TimeoutExpired:
            return "timed out"
        return done.stdout + done.stderr

    def _commands(self) -> dict[str, list[str]]:
        """Each option with the commands that have it, the most harmless first."""
        known = re.findall(r"^    ([a-z-]+)  ", self.run("help"), re.MULTILINE)
        items: dict[str, list[str]] = {}
        for command in sorted(known, key=lambda name: COMMANDS.index(name) if name in COMMANDS else len(COMMANDS)):
            for option in re.findall(r"^  --(\S+)", self.run("help", command), re.MULTILINE):
                items.setdefault(option, []).append(command)
        return items

    def section(self, name: str) -> str | None:
        """Where a configuration file may hold the option: global, stanza or nowhere; None where it is unknown."""
        path = self.folder / f"{name}-{self.version[1]}.conf"
        path.write_text(f"[global]\n{spelling(name)}=?\n", encoding="ascii")
        output = self.run(f"--config={path}", *QUIET, "--log-level-console=warn", "--pg1-path=/none", "backup")
        if "contains command-line only option" in output:
            return "command"
        if "contains stanza-only option" in output:
            return "stanza"
        return None if "contains invalid option" in output else "global"

    def verdict(self, name: str, value: str) -> str:
        """What the release says of ``--name=value`` once everything that the option needs is there; empty: accepted."""
        given: dict[str, str] = {"pg1-path": "/none"}
        option = spelling(name)
        given.update(next((needs for prefix, needs in NEEDS.items() if name.startswith(prefix)), {}))
        command = next(iter(self.commands.get(name, ["backup"])))
        for _ in range(15):
            others = [f"--{key}={text}" for key, text in given.items() if key != option]
            quiet = [argument for argument in QUIET if not argument.startswith(f"--{option}=")]
            output = self.run("--config=/dev/null", *quiet, *others, f"--{option}={value}", command)
            if needed := re.search(
                r"option '(\S+)' not valid without option '(\S+)'(?: (?:=|in \() ?'([^']+)')?", output
            ):
                has_s3 = needed[2] == "repo1-type" and "'s3'" in output
                given[needed[2]] = "s3" if has_s3 else needed[3] or sample(needed[2])
            elif (needed := re.search(r"command requires option: (\S+)", output)) and needed[1] != option:
                given[needed[1]] = sample(needed[1])
            else:
                break
        errors = re.search(r"ERROR: \[(\d+)\]: (.*(?:\n +HINT: allowed.*)?)", output)
        refusals = ("option", "is not valid for", "out of range", "not allowed", "must begin", "key/value")
        return errors[2] if errors and any(word in errors[2] for word in refusals) and option in errors[2] else ""

    def row(self, name: str, like: Row | None) -> Row | None:
        """section, type, minimum, maximum, choices and whether it is a secret. like: the row of the next release.

        Older releases do not say what they would take: it is what the next one takes, where they agree at its limits.
        """
        section = self.section(name)
        if section is None:
            return None
        if section == "command":
            return section, "", "", "", "", ""
        answer = self.verdict(name, "?")
        secret = "is not allowed on the command-line" in answer
        if name.startswith(ELSEWHERE):
            return section, "", "", "", "", "secret" if secret else ""
        kind, low, high, choices = "string", "", "", ""
        if "boolean option" in answer:
            kind = "boolean"
        elif "must begin with /" in answer:
            kind = "path"
        elif "key/value" in answer:
            kind = "hash"
        elif "is not allowed for" in answer:
            kind, choices = "choice", choices_in(answer)
        elif "is not valid for" in answer:
            kind, low, high, choices = self._number(name)
        if like and like[1] == kind and not (low or high or choices):
            low, high, choices = self._confirmed(name, like)
        return section, kind, low, high, choices, "secret" if secret else ""

    def _number(self, name: str) -> tuple[str, str, str, str]:
        answer = self.verdict(name, "9" * 15) or self.verdict(name, "9" * 18)
        limits = re.search(r"range is (\S+) to (\S+) inclusive", answer)
        low, high = (limits[1], limits[2]) if limits else ("", "")
        if not self.verdict(name, "1.5"):  # before 2.53 a time was a number with a fraction
            kind = "time"
        elif "is not valid for" not in self.verdict(name, "1KiB"):
            kind = "size"
        else:
            kind = "integer" if "is not valid for" in self.verdict(name, "1m") else "time"
        return kind, low, high, "" if limits else choices_in(answer)

    def _confirmed(self, name: str, like: Row) -> tuple[str, str, str]:
        _, kind, low, high, choices, _ = like
        if choices:
            return "", "", ",".join(choice for choice in choices.split(",") if not self.verdict(name, choice))
        if not low:
            return "", "", ""
        ends = [plain(kind, low), plain(kind, high)]
        inside = [self.verdict(name, str(end)) for end in ends]
        outside = [self.verdict(name, str(end)) for end in (ends[0] - step(kind), ends[1] + 1)]
        if any("out of range" in text for text in inside) or not all("out of range" in text for text in outside[1:]):
            return *EARLIER.get(name, ("", "")), ""
        return low, high, ""


def choices_in(answer: str) -> str:
    return ",".join(sorted(re.findall(r"'([^']+)'", answer.partition("HINT")[2])))


UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "": 1}
SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50, "": 1}


def plain(kind: str, text: str) -> float:
    number, unit = re.fullmatch(r"(-?[0-9]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]
    value = int(number) * (UNITS if kind == "time" else SIZES)[unit]
    return value if value % 1 else int(value)


def step(kind: str) -> float:
    return 0.05 if kind == "time" else 1


ENVIRONMENT = {f"PGBACKREST_REPO1_{name}": "secret" for name in SECRETS}
QUIET = ("--lock-path=/dev/null", "--log-level-file=off", "--stanza=none")


def spelling(name: str) -> str:
    """The option with the index of the only repository and cluster."""
    return re.sub(r"^(repo|pg)-", r"\g<1>1-", name)


def sample(option: str) -> str:
    return SAMPLES.get(re.sub(r"^(repo|pg)1-", r"\1-", option), "y" if "bundle" in option or "block" in option else "1")


def since(name: str) -> Version | None:
    return BROUGHT.get(name) or next((at for prefix, at in BROUGHT_PREFIX.items() if name.startswith(prefix)), None)


def lines(name: str, rows: list[tuple[Version, Row | None]]) -> list[str]:
    """The option's lines: one from each release on that changed it, the last with the release that dropped it."""
    brought = since(name)
    rows = [(version, row) for version, row in rows if row is None or not brought or version >= brought]
    first_version = rows[0][0]
    spans = [(next(same)[0], row) for row, same in groupby(rows, key=lambda item: item[1])]
    items: list[str] = []
    for (version, row), following in zip(spans, [*spans[1:], None], strict=True):
        if row is None:
            continue
        if items:
            first = CHANGED.get(name, version)
        elif brought or row[0] == "command":
            first = brought or version
        elif version == first_version:
            first = (0,)
        else:
            sys.exit(f"{name}: look up in the release notes which release brought it")
        gone = dotted(following[0]) if following and following[1] is None else ""
        items.append("\t".join([name, dotted(first), gone, *row]))
    return items


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


VALUES = {
    "archive-timeout": ("60", "0.5", "0.05", "1e2", "5m", "5M", "500ms", "1d", "2d", "1w", "90 s", "100x", "q", "-1"),
    "buffer-size": ("1MiB", "1M", "1048576", "1024kb", "3MiB", "q"),
    "compress-level-network": ("3", "10", "-5", "-6", "x"),
    "db-timeout": ("1800", "30m", "8d", "q"),
    "delta": ("y", "n", "Y", "yes", "true", "1"),
    "log-level-stderr": ("off", "debug", "loud", "DEBUG"),
    "manifest-save-threshold": ("1K", "1KB", "1KiB", "1kb", "1b", "1.5G", "2T", "2TiB", "1e3", "1 G", "010", "0", "-1"),
    "annotation": ("a=b", "a", "a="),
    "priority": ("-20", "19", "20", "1.0"),
    "process-max": ("010", "+3", "1.0", "3k", "0x3", "0", "999", "1000"),
    "repo-retention-diff": ("1", "0", "9999999", "10000000"),
    "repo-storage-port": ("443", "0", "65536", "https"),
    "repo-storage-upload-chunk-size": ("64KiB", "5MiB", "1TiB", "2TiB"),
    "repo-storage-ca-file": ("/a", "a"),
    "repo-symlink": ("n", "no"),
    "stop-auto": ("y", "q"),
}
"""What is tried for the fixture of tests/plan/test_pgbackrest.py."""


def print_table(binaries: list[Binary]) -> None:
    names = sorted({name for binary in binaries for name in binary.commands} - {"help", "version"})
    rows: dict[Version, dict[str, Row | None]] = {}
    newer: dict[str, Row | None] = {}
    for binary in reversed(binaries):  # the newest first: it says more
        with ThreadPoolExecutor(4) as pool:
            result = pool.map(binary.row, names, [newer.get(name) for name in names])
            rows[binary.version] = newer = dict(zip(names, result, strict=True))
    for name in names:
        for line in lines(name, [(binary.version, rows[binary.version][name]) for binary in binaries]):
            sys.stdout.write(f"{line}\n")


def print_values(binaries: list[Binary]) -> None:
    for binary in binaries:
        for name, values in VALUES.items():
            for value in values:
                accepted = not binary.verdict(name, value)
                sys.stdout.write(json.dumps([dotted(binary.version), name, value, accepted]) + "\n")


def main() -> None:
    paths = sys.argv[1:]
    wants_values = paths[:1] == ["--values"]
    with tempfile.TemporaryDirectory() as folder:
        result = (Binary(path, Path(folder)) for path in paths[wants_values:])
        binaries = sorted(result, key=lambda each: each.version)
        (print_values if wants_values else print_table)(binaries)


if __name__ == "__main__":
    main()
