"""What follows from a page's answers, live beside them. Each panel shows a draft; it decides nothing.

PANELS has the panel of each page that has one: a widget made with the draft, with ``refresh_from(draft)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from pgwizard import quantities
from pgwizard.errors import ClusterError, PgwizardError
from pgwizard.plan import cron
from pgwizard.plan import retention as plan_retention
from pgwizard.plan.pgbackrest import compares_addresses, is_secret
from pgwizard.plan.plan import options, parameters
from pgwizard.plan.tuning import EDITION, SEGMENT_BYTES, Parameter, memory_sum
from pgwizard.text import about, plain, span
from pgwizard.tls import handshake
from pgwizard.tls.certificates import Certificate
from pgwizard.tui.base import Hosted
from pgwizard.tui.defects import SaysDefects
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.candidates import Candidate
from pgwizard.wizard.choices import Suggestion, choices
from pgwizard.wizard.draft import Draft


class Panel(Hosted, SaysDefects, Vertical):
    """Something that follows from the draft."""

    DEFAULT_CSS = """
    Panel { height: 1fr; overflow-y: auto; }
    Panel Static { height: auto; }
    Panel OptionList { height: 1fr; border: none; padding: 0; background: $background; }
    Panel OptionList:focus { background: $boost; border: none; }
    Panel OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, draft: Draft) -> None:
        super().__init__(classes="panel")
        self.draft = draft
        self.shown = Text()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(markup=False, classes="text")

    FOLLOW_SECONDS = 0.08
    """So that a panel is made once for what is typed in one go."""

    def on_mount(self) -> None:
        """Shown at once."""
        self.refresh_from(self.draft)

    def follow(self, draft: Draft) -> None:
        """Show what the draft comes to, in a moment."""
        self.draft = draft
        if self._timer is None:
            self._timer = self.set_timer(self.FOLLOW_SECONDS, self._catch_up)

    def _catch_up(self) -> None:
        self._timer = None
        self.refresh_from(self.draft)

    def refresh_from(self, draft: Draft) -> None:
        """Show what the draft comes to now. A panel decides nothing: its defect must not cost the answers."""
        self.draft = draft
        if not self._there:
            return
        try:
            self.show()
        except Exception as error:  # noqa: BLE001 - whatever it is, in a timer it would end the application
            self._tell(Text(f"! a defect of pgwizard itself: {type(error).__name__}"))

    @property
    def _there(self) -> bool:
        """Not before it is made, nor while it goes with its page, when a timer or another size may still ask."""
        return bool(self.query(".text"))

    def show(self) -> None:
        """Show the text, and what else there is."""
        self._tell(self.text())

    def _tell(self, text: Text) -> None:
        self.shown = text
        self.query_one(".text", Static).update(hanging(text))

    def text(self) -> Text:
        """What is shown."""
        raise NotImplementedError


def hanging(text: Text) -> Group:
    """The text with lines that go on below where they began: after their indent, or a label set off by blanks."""
    return Group(*map(_hung, text.split(allow_blank=True)))


def _hung(line: Text) -> RenderableType:
    begin = re.match(r" *(?:[^ ]+(?: [^ ]+)* {3,})?", line.plain)
    width = begin.end() if begin else 0
    if not width:
        return line
    table = Table.grid()
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(line[:width], line[width:])
    return table


class StoragePanel(Panel):
    """What the size buys while S3 is away, and the cluster's StorageClasses."""

    _found: list[Suggestion] | str = "waiting for the cluster"

    def on_mount(self) -> None:
        """The classes come when they come."""
        super().on_mount()
        self._read()

    @work(group="storage-classes", exclusive=True, exit_on_error=False)
    async def _read(self) -> None:
        cluster = await self.connection.once_connected()
        try:
            self._found = await choices(cluster, "storageClasses")
        except ClusterError as error:
            self._found = f"! {error.message}"
        self.refresh_from(self.draft)

    def text(self) -> Text:
        """See the class."""
        text, answers = Text(), self.draft.answers
        size = quantities.size_bytes(answers.storage.size)
        text.append("How long the volume lasts while S3 is away\n", "bold")
        timeout = answers.tuning.archive_timeout_seconds
        rates = [("busy: a segment in 10 s", 10.0), ("steady: one a minute", 60.0), ("calm: one in 10 min", 600.0)]
        if timeout:
            rates[1] = (f"archive_timeout: in {timeout} s", float(timeout))
        text.append(f"  {'WAL written':25} data ½   data ¼\n", "dim")
        for name, seconds in rates:
            half, quarter = (_lasting(size * share, seconds) for share in (0.5, 0.75))
            text.append(f"  {name:25}{half:>9}{quarter:>9}\n")
        text.append("  data ½: the database fills half of the volume; a segment has 16 MB\n\n", "dim")
        text.append("StorageClasses\n", "bold")
        if isinstance(self._found, str):
            text.append(f"  {self._found}\n", "dim")
            return text
        chosen = answers.storage.storage_class
        for found in self._found:
            here = found.value == chosen or (chosen is None and found.best)
            text.append(f"{'●' if here else ' '} {found.value}\n", "bold" if here else "")
            text.append(f"    {found.note}\n", "dim")
        if not self._found:
            text.append("  none: the cluster cannot make volumes\n")
        elif chosen is not None and chosen not in {found.value for found in self._found}:
            text.append(f"! {chosen} is not there: the volume would wait for it\n", "bold")
        elif chosen is None and not any(found.best for found in self._found):
            text.append("! none is the default: name one\n", "bold")
        return text


def _lasting(free_bytes: float, seconds_a_segment: float) -> str:
    return span(free_bytes / SEGMENT_BYTES * seconds_a_segment)


class TuningPanel(Panel):
    """postgresql.conf with the reason of each line, and the memory sum against the limit."""

    REASON = 24
    """Columns from which on a reason is worth its place beside the value; below the list it always has one."""
    _listed: tuple[list[Parameter], bool] | None = None

    def compose(self) -> ComposeResult:
        """The sum stays in sight; the parameters scroll."""
        yield Static(markup=False, classes="text")
        yield OptionList(id="parameters")
        yield Static(markup=False, id="reason")

    def on_resize(self) -> None:
        """There may be room for the reasons."""
        self.refresh_from(self.draft)

    def show(self) -> None:
        """The same line stays highlighted."""
        super().show()
        listed, found = self.query_one(OptionList), parameters(self.draft.answers)
        width = max((len(parameter.name) for parameter in found), default=0)
        reasons = self.size.width - width - _VALUE - 3 >= self.REASON
        if (found, reasons) == self._listed:
            return
        here = listed.highlighted
        listed.clear_options()
        listed.add_options([Option(_parameter(parameter, width, reasons)) for parameter in found])
        self._listed = found, reasons
        listed.highlighted = here if here is not None and here < len(found) else None
        if listed.highlighted is None:
            self.query_one("#reason", Static).update("f2 goes through them, with the reason of each")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Its reason, whole."""
        event.stop()
        found = self._listed[0] if self._listed else []
        if event.option_index >= len(found):  # another list has come since
            return
        parameter = found[event.option_index]
        text = Text(f"\n{parameter.name} = {parameter.value}\n", "bold")
        text.append(parameter.reason, "not bold")
        self.query_one("#reason", Static).update(text)

    def text(self) -> Text:
        """The sum."""
        answers = self.draft.answers
        found = parameters(answers)
        limit = quantities.size_bytes(answers.tuning.memory)
        values = {parameter.name: parameter.value for parameter in found}
        total = memory_sum(values, answers.images.postgresql_version)
        text = Text()
        text.append("Memory if all connections sort at once\n", "bold")
        text.append(_bar(total.total_kb * 1024, limit, 24))
        text.append(
            f"\nbuffers {_mb(total.buffers_kb)} · work {_mb(total.work_kb)} · "
            f"maintenance {_mb(total.maintenance_kb)} · base {_mb(total.base_kb)}\n\n"
        )
        text.append("postgresql.conf", "bold").append(f"   {len(found)} lines, {EDITION}", "dim")
        return text


_VALUE = 7
"""Columns of a usual value."""


def _parameter(parameter: Parameter, width: int, reason: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{parameter.name:{width}} {parameter.value:>{_VALUE}}")
    return text.append(f"  {parameter.reason}", "dim") if reason else text


def _mb(kilobytes: int) -> str:
    return f"{round(kilobytes / 1024)}M"


def _bar(part: int, whole: int, width: int) -> str:
    filled = min(width, round(width * part / whole))
    over = " above the limit" if part > whole else ""
    return (
        f"{'█' * filled}{'░' * (width - filled)}  {quantities.human_size(part)} of {quantities.human_size(whole)}{over}"
    )


class RepositoryPanel(Panel):
    """Where a backup ends up, and pgbackrest.conf."""

    def text(self) -> Text:
        """See the class."""
        text, answers = Text(), self.draft.answers
        repository = answers.repository
        if not repository.enabled:
            text.append("There will be no backup\n", "bold")
            return text.append("PostgreSQL runs alone: what is lost is lost.")
        endpoint = repository.s3_endpoint
        host = (
            f"{repository.bucket}.{endpoint}/" if repository.uri_style == "host" else f"{endpoint}/{repository.bucket}"
        )
        text.append("Backups go to\n", "bold")
        text.append(f"  https://{host.rstrip('/')}{repository.path}\n")
        text.append("  backup/   the backups    archive/   the WAL\n\n", "dim")
        text.append("With the key pair of\n", "bold")
        text.append(f"  {_source(repository.credentials)}\n\n")
        text.append("pgbackrest.conf, [global]\n", "bold")
        for pair in options(answers):
            text.append(f"  {pair.name}", "dim").append(f"={'***' if is_secret(pair.name) else pair.value}\n")
        return text


def _source(credentials: Any) -> str:
    if credentials.source == "existing":
        where = f"{credentials.namespace}/" if credentials.namespace else ""
        return f"Secret {where}{credentials.secret}: {credentials.access_key_key}, {credentials.secret_key_key}"
    what = "variables" if credentials.source == "env" else "files"
    return f"{what} {credentials.access_key}, {credentials.secret_key}"


class SchedulePanel(Panel):
    """Cron in words, the next runs, and what is kept."""

    def text(self) -> Text:
        """See the class."""
        text, answers = Text(), self.draft.answers
        try:
            full, incremental = (
                cron.CronSchedule(answers.schedule.full),
                cron.CronSchedule(answers.schedule.incremental),
            )
            zone = cron.zone(answers.schedule.time_zone)
        except ValueError as error:
            return text.append(f"! {error}")
        now = self.start.now().astimezone(zone)
        text.append("In words\n", "bold")
        text.append(f"  F full          {full.in_words()}\n  ▪ incremental   {incremental.in_words()}\n\n")
        text.append(f"The next five, {answers.schedule.time_zone}\n", "bold")
        runs = sorted(
            [
                *((at, "F full") for at in full.upcoming(now, 5)),
                *((at, "▪ incremental") for at in incremental.upcoming(now, 5)),
            ]
        )
        for at, kind in runs[:5]:
            text.append(f"  {at:%a %d %b %H:%M}  {kind:13}  in {span((at - now).total_seconds())}\n")
        if not runs:
            text.append("  is not known\n")
        retention = answers.retention
        minute = now.replace(second=0, microsecond=0)  # what is typed within a minute is worked out once
        held = plan_retention.kept(
            full, incremental, minute, keep=retention.full, by_days=retention.full_type == "time"
        )
        text.append("\nOnce it has run for a while\n", "bold")
        if held.since is None:
            return text.append(
                f"  is not known: there is no full backup in the {plan_retention.YEARS} years before now\n"
            )
        more = "" if held.whole else "at least "
        text.append(f"  {more}{len(held.fulls):,} full and {len(held.incrementals):,} incremental backups\n")
        least = plan_retention.least(
            full, incremental, minute, keep=retention.full, by_days=retention.full_type == "time"
        )
        text.append(f"  recoverable: {_recoverable(retention.full, least or timedelta(), now - held.since)}\n")
        if not held.whole:
            looked = f"{plan_retention.YEARS} years are looked at, and {plan_retention.LONGEST:,} backups of a kind"
            text.append(f"! more is not known: {looked}\n", "bold")
        if retention.full is None:
            text.append("! nothing is ever deleted: this grows without limit\n", "bold")
        text.append("\n")
        for line in timeline(held, now):
            text.append(f"  {line}\n")
        return text.append("  F full  ▪ incremental  ░ recoverable  · before", "dim")


def _recoverable(keep: int | None, least: timedelta, present: timedelta) -> str:
    """What one can plan with comes first: there is more for a while before each full backup."""
    if keep is None:
        return "any moment since the first full backup"
    today = about(present.total_seconds())
    if not least:
        return f"right after a full backup only that one ({today} now)"
    always = about(least.total_seconds())
    return f"at least the last {always}" + ("" if always == today else f" ({today} now)")


def timeline(held: plan_retention.Kept, now: datetime, weeks: int = 6) -> Iterable[str]:
    """A line a week, a column a day, Monday first: what was taken, and from where on one can go back."""
    first = (now - timedelta(days=now.weekday())).date()
    fulls, others = {at.date() for at in held.fulls}, {at.date() for at in held.incrementals}
    begin = first - timedelta(weeks=weeks - 1)
    since = held.since.date() if held.since else now.date()
    yield "          Mo  Tu  We  Th  Fr  Sa  Su"
    for week in range(weeks):
        cells = []
        for number in range(7):
            day = begin + timedelta(days=7 * week + number)
            mark = "F" if day in fulls else "▪" if day in others else ""
            ground = "░" if since <= day <= now.date() else " " if day > now.date() else "·"
            cells.append(f"{(mark or ground):{ground}<3}")
        yield f"{begin + timedelta(weeks=week):%d %b}    {' '.join(cells)}"


class TlsPanel(Panel):
    """The certificate that is trusted, what the server says to it, and the best one that the cluster holds."""

    FOLLOW_SECONDS = 0.3
    """A handshake is asked for, not only text made."""

    class Proposed(Message):
        """Another candidate is the best one now; None where there is none."""

        def __init__(self, row: Candidate | None) -> None:
            super().__init__()
            self.row = row

    _asked: tuple[str, str] | None = None
    _answer = ""
    _best: Candidate | None = None
    _looked = "looking through the cluster's Secrets"

    def on_mount(self) -> None:
        """The candidates are looked for once a visit."""
        super().on_mount()
        self._look()

    def refresh_from(self, draft: Draft) -> None:
        """Another certificate or endpoint is tried anew."""
        super().refresh_from(draft)
        endpoint, bundle = draft.answers.repository.endpoint, draft.facts.ca
        asked = (endpoint, bundle.pem) if bundle and draft.answers.tls.verify else None
        if asked != self._asked and self._there:
            self._asked, self._answer = asked, "· asking the server" if asked else ""
            super().refresh_from(draft)
            if asked is not None:
                self._try(*asked)

    @work(group="handshake", exclusive=True, exit_on_error=False)
    async def _try(self, endpoint: str, pem: str) -> None:
        cluster = await self.connection.once_connected()
        try:
            by_address = compares_addresses(self.draft.answers.images.pgbackrest_version)
            found = await handshake.verify(cluster, endpoint, pem, by_address=by_address)
            self._answer = f"{'✓' if found.ok else '✗'} {endpoint}: {plain(found.message)}"
        except PgwizardError as error:
            self._answer = f"! {error.message}" + (f"\n  {error.hint}" if error.hint else "")
        super().refresh_from(self.draft)

    @work(group="candidates", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        cluster = await self.connection.once_connected()
        answers = self.draft.answers
        by_address = compares_addresses(answers.images.pgbackrest_version)
        search = candidates.Search("ca", answers.repository.endpoint, answers.release.namespace, by_address)
        try:
            self._best = await browse.best(cluster, search, self.start.now, self.connection.readable)
            self._looked = "" if self._best else "none of those that could be read would verify this endpoint"
        except PgwizardError as error:
            self._looked = f"! {error.message}"
        self.post_message(self.Proposed(self._best))
        super().refresh_from(self.draft)

    def text(self) -> Text:
        """See the class."""
        text, answers, bundle = Text(), self.draft.answers, self.draft.facts.ca
        if not answers.repository.enabled:
            return text.append("There is no repository to speak to.")
        if not answers.tls.verify:
            text.append("! Whoever answers at the endpoint gets every backup\n", "bold")
            return text.append("For a test, never for data you need.")
        text.append("pgBackRest will trust\n", "bold")
        if answers.tls.source is None and answers.tls.ca_file is None:
            text.append("  the public authorities of its image\n")
        elif bundle is None:
            waiting = self.connection.cluster is None
            text.append("  not read yet: it is looked up in the cluster\n" if waiting else "  ✗ see the question\n")
        else:
            for certificate in bundle.certificates[:4]:
                _certificate(text, certificate, self.start.now())
            if len(bundle.certificates) > 4:
                text.append(f"  and {len(bundle.certificates) - 4} more\n")
            text.append(f"\n{self._answer}\n")
            text.append(
                f"\nIt is mirrored to Secret {answers.release.namespace}/{answers.release.name}-minio-ca, and compared "
                "with its source at each apply.\n",
                "dim",
            )
        text.append("\nBest candidate in the cluster\n", "bold")
        best, source = self._best, answers.tls.source
        if best is None:
            return text.append(f"  {self._looked}\n")
        text.append(f"  {plain(best.place)} · {plain(best.keys[0])}\n", "bold")
        text.append(f"  ✓ {plain(best.why)}\n")
        if source and (source.namespace, source.secret, source.key) == (best.namespace, best.secret, best.keys[0]):
            return text.append("  It is the one that is chosen.\n", "dim")
        return text.append("  F3 selects it, F4 lists all\n")


def _certificate(text: Text, certificate: Certificate, now: datetime) -> None:
    kind, days = candidates.kind_of_one(certificate), certificate.days_left(now)
    names = [*certificate.dns_names[:3], *certificate.ip_addresses[:1]]
    more = len(certificate.dns_names) + len(certificate.ip_addresses) - len(names)
    text.append(f"  {plain(certificate.subject)}\n", "bold")
    text.append(f"    {kind} · {certificate.key_type} · ends in {days} d, {certificate.not_after:%Y-%m-%d}\n")
    if names:
        text.append(f"    SANs {plain(', '.join(names))}{f' and {more:,} more' if more else ''}\n", "dim")
    if not certificate.self_signed:
        text.append(f"    issuer {plain(certificate.issuer)}\n", "dim")
    text.append(f"    sha256 {certificate.sha256[:29]}…\n", "dim")


PANELS: dict[str, type[Panel]] = {
    "Storage": StoragePanel,
    "Tuning": TuningPanel,
    "Repository": RepositoryPanel,
    "TLS": TlsPanel,
    "Schedule": SchedulePanel,
}
FOCUSABLE = frozenset({"Tuning"})
"""Pages whose panel has something to go through: a parameter in focus shows its reason whole."""
__all__ = ["FOCUSABLE", "PANELS", "Panel", "timeline"]
