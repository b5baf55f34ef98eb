"""Owns the canned programs: PostgreSQL's start-up log, pgBackRest with a simulated repository, psql, pg_isready.

The texts and the JSON are those of pgBackRest 2.45 and PostgreSQL 15. Not simulated: SQL (a query is recognised by a
pattern or answered with nothing), shells, WAL contents, and every other program: exit code 127.
"""

from __future__ import annotations

import configparser
import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pgwizard.kube.api import ExecResult, Object, Ref, Resource
from pgwizard.simulator import drills, previews, recovery, wal
from pgwizard.simulator.clock import SimulatedClock
from pgwizard.simulator.repository import SEGMENT_SECONDS, VERSION, SimulatedRepository, add_backup, lsn
from pgwizard.simulator.store import Store
from pgwizard.simulator.streams import ContainerLog

CannedProgram = Callable[[list[str], bytes], ExecResult | None]
"""A test's own program: its result, or None for a command that it does not know."""

_POD = Resource("v1", "Pod")
_PRINTS = {
    "df": "1B-blocks      Avail\n10737418240 6549825126",
    "postgres": "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
}
_variables: ContextVar[Mapping[str, str]] = ContextVar("variables", default=MappingProxyType({}))
"""pgBackRest's options in the environment of what runs now."""
_SERVER_WAIT_SECONDS = 3600

_SEGMENT_BYTES = 16 * 1024**2
_WRITTEN_BYTES = 40
"""What is written of the present segment: its header alone."""


@dataclass(slots=True)
class _Settings:
    stanza: str
    bucket: str
    path: str


class Programs:
    """What can be run in containers. ``answers`` come before the built-in programs."""

    def __init__(self, store: Store, clock: SimulatedClock) -> None:
        self.answers: list[CannedProgram] = []
        self.has_damaged_pages = False
        """Whether a backup that is taken now meets a page with a wrong checksum."""
        self.previews: dict[str, previews.SimulatedPreview] = {}
        """By the uid of the pod."""
        self.repositories: dict[tuple[str, str, str], SimulatedRepository] = {}
        self._restores: dict[str, int] = {}
        self._store = store
        self._clock = clock

    def repository(self, namespace: str) -> SimulatedRepository:
        """The repository that the pgbackrest.conf of this namespace names."""
        settings = self._settings(namespace)
        key = (settings.bucket or namespace, settings.path, settings.stanza)
        return self.repositories.setdefault(key, SimulatedRepository(settings.stanza))

    def boot(self, pod: Object, container: str) -> list[str]:
        """What a container prints when it starts."""
        at = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
        if not any(item["name"] == container for item in pod["spec"]["containers"]) or not _is_postgres(pod):
            return []
        return [
            f"{at} [1] LOG:  starting PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu",
            f'{at} [1] LOG:  listening on IPv4 address "0.0.0.0", port 5432',
            f'{at} [1] LOG:  listening on Unix socket "/var/run/postgresql/.s.PGSQL.5432"',
            f"{at} [1] LOG:  database system is ready to accept connections",
        ]

    async def run(self, pod: Object, command: list[str], stdin: bytes) -> ExecResult:
        """One command in a pod; which container makes no difference."""
        for answer in self.answers:
            if (result := answer(command, stdin)) is not None:
                return result
        log = ContainerLog()
        with _environment(pod):
            code = await self._program(pod, command, stdin, log)
        if code == 127:
            missing = command[0] if command else ""
            text = f'exec: "{missing}": executable file not found in $PATH\n'
            return ExecResult(b"", text.encode(), code)
        return ExecResult(_text(log), b"", code)

    async def _program(self, pod: Object, command: list[str], stdin: bytes, log: ContainerLog) -> int:
        program = command[0].rpartition("/")[2] if command else ""
        namespace = pod["metadata"]["namespace"]
        if program == "env":
            with _environment({}):  # all that is unset
                return await self._program(pod, command[command.index("bash") :], stdin, log)
        if program == "bash" and command[3:4] == ["psql"]:  # which only adds the user of the container's variable
            program, command = "psql", command[3:]
        if program == "bash" and (lines := self._script(pod, command[3:], stdin)) is not None:
            log.write(*lines)
            return 0
        if program in {"bash", "sh"} and len(command) > 1 and command[1].startswith("/etc/pgbackrest/"):
            return await self._backup_as_named(namespace, " ".join(command[1:]), log)
        if program == "pgbackrest":
            return await self._pgbackrest(namespace, command[1:], log)
        if program == "pg_isready":
            up = _serves(pod)
            log.write(f"/var/run/postgresql:5432 - {'accepting connections' if up else 'no response'}")
            return 0 if up else 2
        if program == "psql":
            return self._psql(pod, command[1:], stdin, log)
        if program in _PRINTS:
            log.write(_PRINTS[program])
            return 0
        return 127

    def _script(self, pod: Object, command: list[str], stdin: bytes) -> Sequence[str] | None:
        """What our own scripts print, by their names; None for any other script."""
        repository = self.repository(pod["metadata"]["namespace"])
        match command:
            case [previews.CONTAINER, verb, *target]:
                return self._preview_answer(self.previews[pod["metadata"]["uid"]], verb, target)
            case ["archive-listing", _, scope, *_]:
                return repository.archive_listing(self._clock.now(), scope)
            case ["backup-files" | "backup-listing" | "backup-comparison" as name, _, _, *labels]:
                return repository.backup_script(name, labels)
            case [wal.NAME, *arguments]:
                return wal.scan(repository, arguments, stdin.decode(), self._clock.now())
            case ["own-repository"]:
                return [f"db-system-id={repository.system_id}"] if repository.system_id else []
            case ["kept-wal", _] | ["write-check", *_] | ["library-check", *_]:
                return []
        return None

    async def _pgbackrest(self, namespace: str, arguments: list[str], log: ContainerLog) -> int:
        verb = next((argument for argument in arguments if not argument.startswith("-")), "")
        if verb == "info":
            as_json = "--output=json" in arguments
            log.write(json.dumps(self.info(namespace)) if as_json else self._info_text(namespace))
            return 0
        if verb == "version":
            log.write(f"pgBackRest {VERSION}")
            return 0
        if verb == "stanza-create":
            return await self._stanza_create(namespace, log)
        if verb == "verify":
            await self._clock.sleep(5)
            log.write(*self.repository(namespace).verification())
            return 0
        if verb in ("check", "expire"):
            if verb == "check":
                self._check(namespace, log)
            return 0
        if verb == "backup":
            kind = next((item.partition("=")[2] for item in arguments if item.startswith("--type=")), "incr")
            return await self._backup(namespace, kind, log)
        self._say(log, f"[031]: invalid command '{verb}'", level="ERROR")
        return 31

    async def job(self, pod: Object, log: ContainerLog) -> int:
        """The container of a Job, by its arguments and the names of the Job and of its CronJob."""
        await self._clock.sleep(0.5)
        namespace = pod["metadata"]["namespace"]
        names = self._owners(pod)
        containers = pod["spec"]["containers"]
        words = [word for one in containers for word in (*(one.get("command") or ()), *(one.get("args") or ()))]
        text = " ".join([*names, *words])
        if "-pgbackrest-init" in text or "init.sh" in text:
            release = next((name.partition("-pgbackrest-init")[0] for name in names if "-pgbackrest-init" in name), "")
            return await self._first_backup(namespace, release or self._release(namespace), log)
        if containers[0]["name"] == recovery.CONTAINER:
            await self._clock.sleep(3)
            repository = self.repository(namespace)
            with _environment(pod):
                origin = self.repository(namespace)
            if origin is not repository:  # a clone: nothing is written to it
                repository.former_timelines, repository.began = list(origin.former_timelines), origin.began
            log.write(*recovery.restore(repository, words, self._clock.now()))
            self._restores[self._volume(namespace)] = origin.system_id
            return 0
        if recovery.READER in words:
            await self._until_deleted(pod)
            return 0
        if containers[0]["name"] == previews.CONTAINER:
            return await self._preview(pod, log)
        if containers[0]["name"] == drills.CONTAINER:
            return await self._drill(namespace, words, containers[0].get("env") or (), log)
        if "verify.sh" in words:
            await self._clock.sleep(5)
            report = self.repository(namespace).verification()
            valid = [line for line in report if ", status: valid," in line]
            log.write(*(line for line in report if line not in valid), f"valid backups: {len(valid)}")
            return int("status: ok" not in report)
        if "backup.sh" in text or re.search(r"-pgbackrest-(full|diff|incr)", text):
            return await self._backup(namespace, _type(text), log)
        self._say(log, "repo-ls command end: completed successfully (38ms)")
        return 0

    async def _until_deleted(self, pod: Object) -> None:
        while (live := self._store.peek(Ref.of(pod))) is not None and "deletionTimestamp" not in live["metadata"]:
            await self._clock.sleep(0.5)

    async def _preview(self, pod: Object, log: ContainerLog) -> int:
        """Serves until its pod is deleted."""
        uid, env = pod["metadata"]["uid"], pod["spec"]["containers"][0]["env"]
        log.write("preview: restoring")
        await self._clock.sleep(3)
        target = next(each["value"] for each in env if each["name"] == "PREVIEW_TARGET").split("\n")
        with _environment(pod):
            repository = self.repository(pod["metadata"]["namespace"])
        simulation = previews.SimulatedPreview(repository, log, target)
        self.previews[uid] = simulation
        await self._clock.sleep(2)
        simulation.aim(target, self._clock.now())
        await self._until_deleted(pod)
        return 0

    def _preview_answer(self, simulation: previews.SimulatedPreview, verb: str, target: list[str]) -> list[str]:
        now = self._clock.now()
        if verb == "move":
            simulation.aim(target, now)
            return []
        return [simulation.state(now)]

    async def _drill(self, namespace: str, words: list[str], env: Sequence[Object], log: ContainerLog) -> int:
        log.write("drill: restoring")
        await self._clock.sleep(3)
        variables = {each["name"]: str(each.get("value") or "") for each in env}
        lines, log.message = drills.drill(self.repository(namespace), words, variables, self._clock.now())
        log.write(*lines)
        return int('"failed"' in log.message)

    def _owners(self, obj: Object) -> list[str]:
        """The names of what owns an object, nearest first."""
        names = []
        for owner in obj["metadata"].get("ownerReferences") or ():
            names.append(owner["name"])
            place = Ref(Resource(owner["apiVersion"], owner["kind"]), owner["name"], obj["metadata"]["namespace"])
            if (live := self._store.peek(place)) is not None:
                names += self._owners(live)
        return names

    async def _first_backup(self, namespace: str, release: str, log: ContainerLog) -> int:
        seconds = 0
        while not self._server_up(namespace, release):
            if seconds >= _SERVER_WAIT_SECONDS:
                log.write(f"waited {_SERVER_WAIT_SECONDS} s in vain until the server answers")
                return 1
            seconds += 2
            await self._clock.sleep(2)
        if code := await self._stanza_create(namespace, log):
            return code
        self._check(namespace, log)
        repository = self.repository(namespace)
        if fulls := [backup for backup in repository.backups if backup["type"] == "full" and not backup["error"]]:
            log.write(f"{len(fulls)} valid full backup(s) found: no new one is taken")
            return 0
        return await self._backup(namespace, "full", log)

    def _check(self, namespace: str, log: ContainerLog) -> None:
        repository = self.repository(namespace)
        segment = repository.segment(self._clock.now())
        path = f"/archive/{repository.stanza}/15-1/{segment[:16]}/{segment}-{'0' * 40}.gz"
        self._say(log, f"check command begin {VERSION}: --stanza={repository.stanza}")
        self._say(log, "check repo1 configuration (primary)")
        self._say(log, "check repo1 archive for WAL (primary)")
        self._say(log, f"WAL segment {segment} successfully archived to '{path}' on repo1")
        self._say(log, "check command end: completed successfully (1204ms)")

    def _server_up(self, namespace: str, release: str) -> bool:
        pod = self._store.peek(Ref(_POD, f"{release}-0", namespace))
        return pod is not None and _serves(pod)

    async def _backup_as_named(self, namespace: str, text: str, log: ContainerLog) -> int:
        if "init" in text or "stanza" in text:
            return await self._first_backup(namespace, self._release(namespace), log)
        return await self._backup(namespace, _type(text), log)

    def _release(self, namespace: str) -> str:
        pods = [pod for pod in self._store.find(_POD, namespace) if _is_postgres(pod)]
        return str(pods[0]["metadata"]["name"]).rpartition("-")[0] if pods else "postgresql"

    def _volume(self, namespace: str) -> str:
        """The uid of the database's volume claim."""
        claims = self._store.find(Resource("v1", "PersistentVolumeClaim"), namespace)
        matches = [claim for claim in claims if "postgresql-storage" in claim["metadata"]["name"]]
        return str(matches[0]["metadata"]["uid"]) if matches else namespace

    def system_id(self, namespace: str) -> int:
        """Of the database on the volume: a new one, unless another was restored there."""
        uid = self._volume(namespace)
        if uid in self._restores:
            return self._restores[uid]
        return 7_400_000_000_000_000_000 + int.from_bytes(uid.encode()[:6], "big")

    async def _stanza_create(self, namespace: str, log: ContainerLog) -> int:
        repository, system = self.repository(namespace), self.system_id(namespace)
        stanza = repository.stanza
        self._say(log, f"stanza-create command begin {VERSION}: --stanza={stanza}")
        await self._clock.sleep(0.6)
        if repository.system_id and repository.system_id != system:
            text = "[028]: backup and archive info files exist but do not match the database"
            self._say(log, text, level="ERROR")
            hints = ("is this the correct stanza?", "did an error occur during stanza-upgrade?")
            log.write(*(f"{' ' * 35}HINT: {hint}" for hint in hints))
            self._say(log, "stanza-create command end: aborted with exception [028]")
            return 28
        if repository.system_id:
            self._say(log, f"stanza '{stanza}' already exists on repo1 and is valid")
        else:
            repository.system_id, repository.began = system, self._clock.now()
            self._say(log, f"stanza-create for stanza '{stanza}' on repo1")
        self._say(log, "stanza-create command end: completed successfully (612ms)")
        return 0

    async def _backup(self, namespace: str, kind: str, log: ContainerLog) -> int:
        repository = self.repository(namespace)
        stanza = repository.stanza
        self._say(log, f"backup command begin {VERSION}: --stanza={stanza} --type={kind}")
        if not repository.system_id:
            path = f"'/var/lib/pgbackrest/backup/{stanza}/backup.info'"
            self._say(log, f"[055]: unable to load info file {path}", level="ERROR")
            log.write(" " * 35 + "HINT: has a stanza-create been performed?")
            return 55
        if repository.is_locked:
            lock = f"/tmp/pgbackrest/{stanza}-backup.lock"  # noqa: S108 (a text of pgBackRest)
            self._say(
                log, f"[050]: unable to acquire lock on file '{lock}': Resource temporarily unavailable", level="ERROR"
            )
            log.write(" " * 35 + "HINT: is another pgBackRest process running?")
            return 50
        if kind != "full" and not repository.backups:
            self._say(log, f"no prior backup exists, {kind} backup has been changed to full", level="WARN")
            kind = "full"
        repository.is_locked = True
        try:
            return await self._copy(repository, kind, log)
        finally:
            repository.is_locked = False

    async def _copy(self, repository: SimulatedRepository, kind: str, log: ContainerLog) -> int:
        began = self._clock.now()
        segment = repository.segment(began)
        self._say(
            log, "execute non-exclusive backup start: backup begins after the requested immediate checkpoint completes"
        )
        self._say(log, f"backup start archive = {segment}, lsn = 0/{int(segment[-8:], 16):X}000028")
        await self._clock.sleep(5 if kind == "full" else 2)
        self._say(log, "execute non-exclusive backup stop and wait for all WAL segments to archive")
        self._say(log, f"backup stop archive = {segment}, lsn = 0/{int(segment[-8:], 16):X}000138")
        self._say(log, f"check archive for segment(s) {segment}:{segment}")
        if self.has_damaged_pages:
            path = "/var/lib/postgresql/data/pgdata/base/16384/16385"
            self._say(log, f"invalid page checksum found in file {path} at page 3", level="WARN")
        new = add_backup(repository, kind, began, self._clock.now(), segment)
        new["error"] = self.has_damaged_pages
        self._say(log, f"new backup label = {new['label']}")
        size = new["info"]["delta"] / 1024 / 1024
        self._say(log, f"{kind} backup size = {size:.1f}MB, file total = 1266")
        self._say(log, f"backup command end: completed successfully ({(self._clock.now() - began) * 1000:.0f}ms)")
        self._say(log, f"expire command begin {VERSION}: --stanza={repository.stanza}")
        self._say(log, "expire command end: completed successfully (49ms)")
        return 0

    def info(self, namespace: str) -> list[dict[str, Any]]:
        """``pgbackrest info --output=json`` of 2.45."""
        repository = self.repository(namespace)
        if not repository.system_id:
            missing = {"code": 1, "message": "missing stanza path"}
            lock = {"backup": {"held": repository.is_locked}}
            one = {"cipher": "none", "key": 1, "status": missing}
            head = {"archive": [], "backup": [], "cipher": "none", "db": [], "name": repository.stanza}
            return [head | {"repo": [one], "status": missing | {"lock": lock}}]
        status = {"code": 0, "message": "ok"} if repository.backups else {"code": 2, "message": "no valid backups"}
        database = {"id": 1, "repo-key": 1}
        last = repository.segment(self._clock.now())
        return [
            {
                "archive": [{"database": database, "id": "15-1", "max": last, "min": "000000010000000000000001"}],
                "backup": repository.backups,
                "cipher": "none",
                "db": [database | {"system-id": repository.system_id, "version": "15"}],
                "name": repository.stanza,
                "repo": [{"cipher": "none", "key": 1, "status": status}],
                "status": status | {"lock": {"backup": {"held": repository.is_locked}}},
            }
        ]

    def _info_text(self, namespace: str) -> str:
        answer = self.info(namespace)[0]
        lines = [f"stanza: {answer['name']}", f"    status: {answer['status']['message']}", "    cipher: none"]
        lines += [f"        {backup['type']} backup: {backup['label']}" for backup in answer["backup"]]
        return "\n".join(lines)

    def _psql(self, pod: Object, arguments: list[str], stdin: bytes, log: ContainerLog) -> int:
        if not _serves(pod):
            log.write(
                'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: '
                "No such file or directory"
            )
            return 2
        namespace = pod["metadata"]["namespace"]
        repository, now = self.repository(namespace), self._clock.now()
        answers = (
            (r"pg_stat_archiver", self._archiver(namespace)),
            (r"pg_ls_archive_statusdir", "0|0"),
            (r"pg_is_in_recovery", "f"),
            (r"txid_current", "t"),
            (r"pg_create_restore_point", lsn(repository.number(now))),
            (r"pg_walfile_name|pg_switch_wal", repository.segment(now)),
            (r"pg_current_wal_insert_lsn", lsn(repository.number(now))),
            (r"FROM pg_database$", "5 postgres\n16384 myapp"),
            (r"server_version_num", "150014"),
            (r"server_version|version\(\)", "15.14 (Debian 15.14-0+deb12u1)"),
            (r"system_identifier", str(self.system_id(namespace))),
            (r"pg_database_size", "30723875"),
            (r"select\s+1", "1"),
        )
        for sql in (*arguments, stdin.decode(errors="replace")):
            replies = [answer for pattern, answer in answers if re.search(pattern, sql, re.IGNORECASE)]
            log.write(*replies[:1])
        return 0

    def _archiver(self, namespace: str) -> str:
        """pg_stat_archiver, system_identifier and archive_timeout; nothing reaches another database's repository."""
        repository, system = self.repository(namespace), self.system_id(namespace)
        segment = repository.segment(self._clock.now())
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S+00")
        row = f"{int(segment[-8:], 16)}|{segment}|{now}|0||"
        if repository.system_id not in (0, system):
            row = f"0|||1|{segment}|{now}"
        end = (int(segment[8:16], 16) * 256 + int(segment[16:], 16) + 1) * _SEGMENT_BYTES
        return f"{row}|{system}|{SEGMENT_SECONDS}|{repository.timeline}|{_SEGMENT_BYTES}|{end + _WRITTEN_BYTES}"

    def _say(self, log: ContainerLog, text: str, *, level: str = "INFO") -> None:
        at = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        log.write(f"{at} P00 {level:>6}: {text}")

    def _settings(self, namespace: str) -> _Settings:
        for config_map in self._store.find(Resource("v1", "ConfigMap"), namespace):
            text = (config_map.get("data") or {}).get("pgbackrest.conf")
            if not text:
                continue
            configuration = _parse(text)
            if configuration is None:
                continue
            stanza, options = configuration
            names = ("repo1-s3-bucket", "repo1-path")
            variables = _variables.get()
            return _Settings(stanza, *(variables.get(name) or options.get(name, "") for name in names))
        return _Settings("main", "", "")


@lru_cache(maxsize=256)
def _parse(text: str) -> tuple[str, Mapping[str, str]] | None:
    """The stanza and the global options of a pgbackrest.conf, which each command reads; None for one with a fault."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    stanza = next((name for name in parser.sections() if not name.startswith("global")), "main")
    return stanza, dict(parser["global"]) if parser.has_section("global") else {}


@contextlib.contextmanager
def _environment(pod: Object) -> Iterator[None]:
    """With pgBackRest's options among the variables of a pod: they win over its configuration."""
    [container, *_] = pod["spec"]["containers"] if pod else [{}]
    prefix = "PGBACKREST_"
    token = _variables.set(
        {
            each["name"].removeprefix(prefix).lower().replace("_", "-"): each["value"]
            for each in container.get("env") or ()
            if each["name"].startswith(prefix) and each.get("value")
        }
    )
    try:
        yield
    finally:
        _variables.reset(token)


def _type(text: str) -> str:
    return next((word for word in ("full", "diff", "incr") if word in text), "incr")


def _text(log: ContainerLog) -> bytes:
    return "".join(f"{line}\n" for line in log.lines).encode()


def _is_postgres(pod: Object) -> bool:
    return any("postgres" in item.get("image", "") for item in pod["spec"]["containers"]) and bool(
        (pod["metadata"].get("labels") or {}).get("statefulset.kubernetes.io/pod-name")
    )


def _serves(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
