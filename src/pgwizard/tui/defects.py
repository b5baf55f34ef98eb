"""What a worker dies of is said on the screen; Textual tells it only to the widget that started it."""

from __future__ import annotations

from typing import Any

from textual.worker import Worker, WorkerState


class SaysDefects:
    """For widgets, screens and the application, beside their own base."""

    app: Any

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What is being answered is not lost to a defect; it is not swallowed either."""
        if event.state is WorkerState.ERROR:
            defect = f"a defect of pgwizard itself: {type(event.worker.error).__name__} in {event.worker.name}"
            self.app.notify(defect, severity="error", timeout=60, markup=False)
