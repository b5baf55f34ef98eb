"""What follows from a page's answers, live beside them. Each panel shows a draft; it decides nothing.

PANELS has the panel of each page that has one: a widget made with the draft, with ``refresh_from(draft)``.
"""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.widgets import Static

from pgwizard import quantities
from pgwizard.draft import Draft
from pgwizard.plan import parameters
from pgwizard.tuning import EDITION, memory_sum


class Panel(Static):
    """Text that follows from the draft."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(classes="panel", markup=False)
        self.refresh_from(draft)

    def refresh_from(self, draft: Draft) -> None:
        """Show what the draft comes to now."""
        self.update(self.text(draft))

    def text(self, draft: Draft) -> Text:
        """What is shown."""
        raise NotImplementedError


class TuningPanel(Panel):
    """postgresql.conf with the reason of each line, and the memory sum against the limit."""

    def text(self, draft: Draft) -> Text:
        """See the class."""
        answers = draft.answers
        found = parameters(answers)
        limit = quantities.size_bytes(answers.tuning.memory)
        total = memory_sum({parameter.name: parameter.value for parameter in found})
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("Memory if all connections sort at once\n", "bold")
        text.append(_bar(total.total_kb * 1024, limit, 30))
        text.append(
            f"\nbuffers {_mb(total.buffers_kb)} · work {_mb(total.work_kb)} · "
            f"maintenance {_mb(total.maintenance_kb)} · base {_mb(total.base_kb)}\n\n"
        )
        text.append(f"postgresql.conf   {EDITION}\n", "bold")
        for parameter in found:
            text.append(f"{parameter.name:30}{parameter.value:>9}  ")
            text.append(f"{parameter.reason}\n", "dim")
        return text


def _mb(kilobytes: int) -> str:
    return f"{round(kilobytes / 1024)}M"


def _bar(part: int, whole: int, width: int) -> str:
    filled = min(width, round(width * part / whole))
    over = " above the limit" if part > whole else ""
    return (
        f"{'█' * filled}{'░' * (width - filled)}  {quantities.human_size(part)} of {quantities.human_size(whole)}{over}"
    )


PANELS: dict[str, Any] = {"Tuning": TuningPanel}
