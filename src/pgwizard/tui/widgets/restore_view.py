"""What is seen of a restore: the choice of the target, then its log, between its stages and how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from pgwizard.restore.history import WalEvent
from pgwizard.restore.journal import ORDER
from pgwizard.restore.target import RepositoryView, RestorePlan, TargetRefusal
from pgwizard.tui.widgets.run_view import RunView
from pgwizard.tui.widgets.stages import Stages
from pgwizard.tui.widgets.target_choice import GO_ON, TargetChoice


class RestoreView(RunView):
    """name: of the release. The stages are shown once the restore runs: the choice needs the room."""

    def __init__(self, name: str) -> None:
        self.question = TargetChoice(name)
        self._prompt = GO_ON
        super().__init__(ORDER[:-1], self.question, ("stop", "start", "backup"))

    def restart(self) -> None:
        super().restart()
        self.query_one(Stages).display = False
        self.question.restart()

    def choose(self, archive: RepositoryView, prompt: str) -> None:
        """Ask for the target. prompt: while it can be reached."""
        self._prompt = prompt
        self.question.choose(archive)

    def confirm(self, plan: RestorePlan | None) -> None:
        """Ask for the name of the release. plan: None where the server is only started again."""
        super().restart()
        self.query_one(Stages).display = False
        self.question.confirm(plan)

    def refuse(self, archive: RepositoryView, refusal: TargetRefusal) -> None:
        """Say why a target that was looked for cannot be reached, and ask for another."""
        super().restart()
        self.query_one(Stages).display = False
        self.question.refuse(archive, refusal)

    def list_events(self, events: Sequence[WalEvent]) -> None:
        """Show what was committed."""
        self.question.list_events(events)

    def show_log(self, stages: Sequence[str] = ORDER[:-1]) -> None:
        """stages: that are expected."""
        self.query_one(Stages).expect(stages)
        self.query_one(Stages).display = True
        super().show_log()

    def on_target_choice_prompted(self, event: TargetChoice.Prompted) -> None:
        self.show_prompt(self._prompt if event.text == GO_ON else event.text)
