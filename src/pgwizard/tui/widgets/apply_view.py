"""What is seen of an apply: the approval of its changes, then its log, between its stages and how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from pgwizard.release.changes import Change
from pgwizard.tui.widgets.approval import Approval
from pgwizard.tui.widgets.run_view import RunView


class ApplyView(RunView):
    """stages: those that are expected; name: of the release."""

    def __init__(self, stages: Sequence[str], name: str) -> None:
        self._approval = Approval(name)
        super().__init__(stages, self._approval, ("wait", "first backup"))

    def restart(self) -> None:
        super().restart()
        self._approval.restart()

    async def ask(self, changes: Sequence[Change]) -> None:
        """Return once the changes are approved."""
        await self._approval.ask(changes)
        self.show_log()

    def on_approval_prompted(self, event: Approval.Prompted) -> None:
        if self._approval.is_waiting:
            self.show_prompt(event.text)
