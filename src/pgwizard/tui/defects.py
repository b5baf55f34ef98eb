"""A worker that dies is reported on the screen; Textual reports it only to the widget that started it."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from textual.app import App
from textual.worker import Worker, WorkerState

from pgwizard.errors import describe_defect


def _place(error: BaseException | None) -> str:
    """File and line for a report, without any data."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    ours = [frame for frame in frames if "pgwizard" in frame.filename]
    return f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""


def report_defect(app: App[Any], error: BaseException | None) -> None:
    """What is being answered is not lost to a defect; it is not swallowed either."""
    app.notify(describe_defect(error) + _place(error), severity="error", timeout=60, markup=False)


class ReportsDefects:
    """For widgets, screens and the application, beside their own base."""

    app: Any

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            report_defect(self.app, event.worker.error)
