"""The panel of each page that has one."""

from __future__ import annotations

from pgwizard.tui.panels.base import Panel
from pgwizard.tui.panels.repository import RepositoryPanel
from pgwizard.tui.panels.schedule import SchedulePanel
from pgwizard.tui.panels.storage import StoragePanel
from pgwizard.tui.panels.tls import TlsPanel
from pgwizard.tui.panels.tuning import TuningPanel

PANELS: dict[str, type[Panel]] = {
    "Storage": StoragePanel,
    "Tuning": TuningPanel,
    "Repository": RepositoryPanel,
    "TLS": TlsPanel,
    "Schedule": SchedulePanel,
}
FOCUSABLE = frozenset({"Tuning"})
"""Pages whose panel can be gone through: the highlighted parameter shows its whole reason."""
