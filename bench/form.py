"""Enter in the form against Tab in a bare Textual app, key by key in turn: ``python bench/form.py``.

Both run on terminals of their own, side by side. A key has been answered when the widget that it moved the focus to is
painted. Enter goes through all pages of the wizard in its demo; the bare app has as many pages of inputs, all mounted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from figures import Figure, quantile, show
from terminals import Terminal, reporter

SETTLE_SECONDS = 0.1
START_SECONDS = 4.0
STEP_SECONDS = 30.0
BARE_PAGES, BARE_QUESTIONS = 10, 12
ENTER, TAB, NEXT_PAGE = b"\r", b"\t", b"\x0e"
Step = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="walks through all pages (default 3)")
    parser.add_argument("--steps", action="store_true", help="print the slowest steps")
    parser.add_argument("--inside", choices=["form", "bare"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return _inside(options.inside)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: modules are compiled
    steps: list[Step] = []
    bare: list[Step] = []
    for _ in range(options.rounds):
        walk = _walk()
        steps += walk[0]
        bare += walk[1]
    if options.steps:
        for step in sorted(steps, key=lambda each: -each["ms"])[:15]:
            print(f"{step['ms']:7.1f} ms, {step['cpu_ms']:7.1f} ms of CPU: {step['name']} of {step['page']}")
    return show([*_figures(steps, bare, "ms"), *_figures(steps, bare, "cpu_ms")])


def _figures(steps: list[Step], bare: list[Step], what: str) -> list[Figure]:
    """CPU time, of the main thread, is reported beside: it is the same on a busy machine."""
    unit = "ms" if what == "ms" else "ms of CPU"

    def figure(
        name: str, steps_of: tuple[str, ...], of: Callable[[list[float]], float], against: str, target: float | None
    ) -> Figure:
        value, anchor = (of([step[what] for step in side if step["kind"] in steps_of]) for side in (steps, bare))
        return Figure(name, value, anchor, against, target if what == "ms" else None, unit)

    every, page = ("question", "page"), ("page",)
    tab, switch = "Tab in a bare app", "a bare app's switch to another page"
    return [
        figure("Enter to the next question, median", every, statistics.median, tab, 1.25),
        figure("Enter to the next question, p90", every, lambda values: quantile(values, 0.9), tab, 1.5),
        figure("Enter to the next question, slowest", every, max, tab, 1.15),
        # of these alone: the bare app's pages are one column of inputs; the wizard's have the list of pages and a panel
        figure("of them to another page, median", page, statistics.median, switch, None),
        figure("of them to another page, slowest", page, max, switch, None),
    ]


def _walk() -> tuple[list[Step], list[Step]]:
    """The steps of the form, and as many of the bare app."""
    steps: list[Step] = []
    bare_steps: list[Step] = []
    with Terminal([__file__, "--inside", "form"]) as form, Terminal([__file__, "--inside", "bare"]) as bare:
        time.sleep(START_SECONDS)
        for terminal in (form, bare):
            while (report := terminal.report(1)) is not None:  # the first focus
                terminal.page = report["page"]
        while (step := _step(form, ENTER))["name"].startswith(("TextLine", "Choice")):
            steps.append(step)
            bare_steps.append(_step(bare, TAB if step["kind"] == "question" else NEXT_PAGE))
    return steps, bare_steps


def _step(terminal: Terminal, key: bytes) -> Step:
    """kind: question, or page where another page is shown now."""
    time.sleep(SETTLE_SECONDS)
    used, begin = terminal.cpu_seconds(), time.perf_counter()
    terminal.press(key)
    report = terminal.report(STEP_SECONDS)
    if report is None:
        raise SystemExit(f"nothing has got the focus within {STEP_SECONDS:.0f} s")
    kind = "question" if report["page"] == terminal.page else "page"
    terminal.page = report["page"]
    times = {"ms": (report["at"] - begin) * 1000, "cpu_ms": (report["cpu_seconds"] - used) * 1000}
    return {"name": report["name"], "page": report["page"], "kind": kind, **times}


# ---- inside the applications ---------------------------------------------------------------------------------------


def _inside(what: str) -> int:
    app = _form() if what == "form" else _bare()
    _report_focus()
    app.run()
    return 0


def _form() -> Any:
    import gc

    from pgwizard.cli import start
    from pgwizard.cli.main import GC_THRESHOLD
    from pgwizard.tui.app import WizardApp

    gc.set_threshold(GC_THRESHOLD)
    return WizardApp(start.start(demo=True, raw={"release": {"name": "bench"}}))


def _bare() -> Any:
    from textual.app import App, ComposeResult
    from textual.containers import VerticalScroll
    from textual.widgets import ContentSwitcher, Input, Label, Static

    class BareForm(App[None]):
        """Its pages are mounted from the start, and each is painted first when it is switched to."""

        BINDINGS = [("ctrl+n", "next_page", "next page")]  # noqa: RUF012 - as Textual's own examples have it

        def compose(self) -> ComposeResult:
            with ContentSwitcher(initial="page-0"):
                for page in range(BARE_PAGES):
                    with VerticalScroll(id=f"page-{page}", can_focus=False):
                        for number in range(BARE_QUESTIONS):
                            yield Label(f"Question {number}")
                            yield Input("an answer", compact=True, id=f"question-{page}-{number}")
                            yield Static("What it is for")

        def action_next_page(self) -> None:
            switcher = self.query_one(ContentSwitcher)
            following = (int(str(switcher.current).removeprefix("page-")) + 1) % BARE_PAGES
            switcher.current = f"page-{following}"
            self.query_one(f"#question-{following}-0", Input).focus()

    return BareForm()


def _report_focus() -> None:
    """Report each widget that has got the focus, once it is painted."""
    import paints
    from textual.widget import Widget

    report, render_lines = reporter(), Widget.render_lines
    last: Widget | None = None
    drawn: Widget | None = None

    def noted(self: Widget, crop: Any) -> Any:
        nonlocal drawn
        if self.has_focus and self is not last:
            drawn = self
        return render_lines(self, crop)

    def painted(now: float) -> None:
        nonlocal last, drawn
        if drawn is not None:
            last, drawn = drawn, None
            name = f"{type(last).__name__} {last.id or ''}"
            page = getattr(last.screen, "page", None) or getattr(last.parent, "id", "")
            report({"name": name, "page": page, "at": now, "cpu_seconds": time.thread_time()})

    Widget.render_lines = noted  # type: ignore[method-assign]
    paints.ON_PAINT.append(painted)


if __name__ == "__main__":
    sys.exit(main())
