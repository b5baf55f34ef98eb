"""The stages of an apply, without a screen."""

from __future__ import annotations

from datetime import UTC, datetime

from pgwizard.release.stages import Event
from pgwizard.tui.widgets.stages import Stages

AT = datetime(2026, 11, 23, tzinfo=UTC)


def after(*events: Event) -> Stages:
    stages = Stages(["apply", "wait", "record"])
    for event in events:
        stages.take(event, AT)
    return stages


def marks(stages: Stages) -> list[str]:
    return [f"{stage.mark} {stage.name}" for stage in stages.stages]


def test_a_stage_runs_then_is_done_failed_or_skipped() -> None:
    stages = after(
        Event("apply", "began"), Event("apply", "done", "3 created", 0.5), Event("wait", "skipped", "--no-wait")
    )
    assert marks(stages) == ["✓ apply", "- wait", "· record"]
    assert stages.is_done("apply")
    assert not stages.is_done("wait")
    stages.take(Event("record", "began"), AT)
    assert stages.now == "record"
    stages.take(Event("record", "failed", "403", 0.1), AT)
    assert marks(stages)[2] == "✗ record"


def test_a_stage_that_was_not_expected_gets_a_line_before_the_last() -> None:
    assert marks(after(Event("prune", "began"))) == ["· apply", "· wait", "● prune", "· record"]


def test_a_stage_that_did_not_run_is_skipped_and_a_stopped_one_has_not_failed() -> None:
    done = after(Event("apply", "began"), Event("apply", "done", "", 0.5))
    done.end("done")
    assert marks(done) == ["✓ apply", "- wait", "- record"]
    stopped = after(Event("apply", "began"))
    stopped.end("stopped")
    assert marks(stopped) == ["- apply", "· wait", "· record"]
    failed = after(Event("apply", "began"), Event("apply", "failed", "403", 0.1))
    failed.end("failed")
    assert marks(failed) == ["✗ apply", "· wait", "· record"]
