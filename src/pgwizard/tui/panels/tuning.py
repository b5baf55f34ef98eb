"""postgresql.conf with the reason of each line, and the memory that it may take."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from pgwizard import quantities
from pgwizard.plan.plan import parameters
from pgwizard.plan.tuning import EDITION, Parameter, memory_sum
from pgwizard.tui.panels.base import Panel


class TuningPanel(Panel):
    """The sum of memory stays in sight; the parameters scroll."""

    REASON = 24
    """Columns from which on a reason is shown beside the value; below the list it always has room."""
    _option_state: tuple[list[Parameter], bool] | None = None

    def compose(self) -> ComposeResult:
        yield Static(markup=False, classes="text")
        yield OptionList(id="parameters")
        yield Static(markup=False, id="reason")

    def on_resize(self) -> None:
        self.refresh_from(self.draft)

    def show(self) -> None:
        """The same line stays highlighted."""
        super().show()
        option_list, values = self.query_one(OptionList), parameters(self.draft.answers)
        width = max((len(parameter.name) for parameter in values), default=0)
        reasons = self.size.width - width - _VALUE - 3 >= self.REASON
        if (values, reasons) == self._option_state:
            return
        here = option_list.highlighted
        option_list.clear_options()
        option_list.add_options([Option(_parameter(parameter, width, reasons)) for parameter in values])
        self._option_state = values, reasons
        option_list.highlighted = here if here is not None and here < len(values) else None
        if option_list.highlighted is None:
            self.query_one("#reason", Static).update("F2 goes through them, with the reason of each")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show its whole reason."""
        event.stop()
        rows = self._option_state[0] if self._option_state else []
        if event.option_index >= len(rows):  # the list is another one by now
            return
        parameter = rows[event.option_index]
        text = Text(f"\n{parameter.name} = {parameter.value}\n", "bold")
        text.append(parameter.reason, "not bold")
        self.query_one("#reason", Static).update(text)

    def text(self) -> Text:
        """The sum."""
        answers = self.draft.answers
        lines = parameters(answers)
        limit = quantities.size_bytes(answers.tuning.memory)
        values = {parameter.name: parameter.value for parameter in lines}
        total = memory_sum(values, answers.images.postgresql_version)
        text = Text()
        text.append("Memory if all connections sort at once\n", "bold")
        text.append(_bar(total.total_kb * 1024, limit, 24))
        text.append(
            f"\nbuffers {_mb(total.buffers_kb)} · work {_mb(total.work_kb)} · "
            f"maintenance {_mb(total.maintenance_kb)} · base {_mb(total.base_kb)}\n\n"
        )
        text.append("postgresql.conf", "bold").append(f"   {len(lines)} lines, {EDITION}", "dim")
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
    full = min(width, round(width * part / whole))
    over = " above the limit" if part > whole else ""
    return f"{'█' * full}{'░' * (width - full)}  {quantities.human_size(part)} of {quantities.human_size(whole)}{over}"
