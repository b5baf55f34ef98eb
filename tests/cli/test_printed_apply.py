"""An apply as it is printed on a terminal: its golden file, and the picture of it in the README."""

from __future__ import annotations

import io

from rich.console import Console

from pgwizard.cli.run_lines import reporter, show_changes
from pgwizard.cli.verbs.apply import show_outcome
from pgwizard.cli.writer import Writer
from pgwizard.kube.api import Ref, Resource
from pgwizard.kube.commands import CURRENT_CONTEXT
from pgwizard.release.apply import ApplyOutcome
from pgwizard.release.changes import Change
from pgwizard.release.report import connect_commands
from pgwizard.release.stages import Event
from support import goldens, pictures
from support.headless import GOLDEN, ROOT, answers_of, planned

_OBJECTS = (
    ("v1", "Secret", "postgresql"),
    ("v1", "ConfigMap", "postgresql-config"),
    ("v1", "Service", "postgresql"),
    ("apps/v1", "StatefulSet", "postgresql"),
    ("batch/v1", "CronJob", "postgresql-pgbackrest-full"),
    ("batch/v1", "Job", "postgresql-pgbackrest-init"),
)
_CHANGES = tuple(Change(Ref(Resource(version, kind), name, "shop"), "create") for version, kind, name in _OBJECTS)
_BEFORE = (
    Event("survey", "done", "prod-eu (https://10.0.0.1:6443), namespace shop", 0.13),
    Event("checks", "warning", "storage.size: max_wal_size is 4GB, more than half of 5Gi: raise storage.size"),
    Event("checks", "done", "6 objects, 1 warning", 0.09),
    Event("dry run", "done", "6 to create", 0.08),
)
_AFTER = (
    Event("lock", "done", "Lease shop/postgresql-pgwizard", 0.01),
    Event("apply", "done", "6 created", 0.11),
    Event("wait", "done", "postgresql-0 is ready", 4.1),
    Event("first backup", "log", "2026-11-23 10:22:37.281 P00 INFO: stanza-create command end: completed successfully"),
    Event(
        "first backup",
        "log",
        "2026-11-23 10:22:38.538 P00 INFO: WAL segment 000000010000000000000001 successfully archived to "
        "'/shop/archive/main/15-1/0000000100000000/000000010000000000000001-189cac0c7f9e4960233eee15c18203db.gz'",
    ),
    Event("first backup", "log", "2026-11-23 10:22:41.206 P00 INFO: new backup label = 20261123-102239F"),
    Event("first backup", "log", "2026-11-23 10:22:41.260 P00 INFO: full backup size = 29.3MB, file total = 1262"),
    Event("first backup", "done", "a valid full backup is in the repository", 7.9),
    Event("record", "done", "revision 1", 0.02),
)

_REACHED = "Release is up. First full backup succeeded."


WIDTH = 110


def _printed() -> Console:
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )
    writer = Writer(as_json=False, console=console)
    for event in _BEFORE:
        reporter(writer)(event)
    show_changes(writer, _CHANGES, whole=False)
    for event in _AFTER:
        reporter(writer)(event)
    plan = planned(answers_of(release={"namespace": "shop", "database": "shop"}))
    show_outcome(
        writer, ApplyOutcome("deployed", _CHANGES, _REACHED, plan=plan), connect_commands(plan, CURRENT_CONTEXT)
    )
    writer.close()
    return console


def test_an_apply_is_printed_as_in_its_golden_file(update_golden: bool) -> None:
    console = _printed()
    text = pictures.golden_text(pictures.recorded_output(console))
    picture = pictures.tidy(console.export_svg(title="pgwizard apply answers.yaml"))
    goldens.compare(
        {GOLDEN / "apply-printed.txt": text, ROOT / "screenshots" / "apply-printed.svg": picture}, update_golden
    )
