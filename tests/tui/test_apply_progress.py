"""What an apply has reported, without a screen: its log, what it wrote, and how it ended in rows."""

from __future__ import annotations

from pgwizard.errors import Finding, PreflightError, Unreachable
from pgwizard.kube.api import SECRET, SERVICE, Ref
from pgwizard.kube.commands import CURRENT_CONTEXT
from pgwizard.release.apply import ApplyOutcome
from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.tui.apply_progress import RESUME, ApplyProgress

CREATED = [Change(Ref(kind, "postgresql", "shop"), "create") for kind in (SECRET, SERVICE)]
LINE = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"


def approved() -> ApplyProgress:
    progress = ApplyProgress()
    progress.approve(CREATED)
    return progress


def test_before_the_approval_a_stopped_run_has_written_nothing() -> None:
    assert ApplyProgress().stop() == [
        ("-", f"Stopped watching. What is written stays. {RESUME}"),
        ("written", "nothing"),
    ]


def test_a_stopped_run_counts_what_is_written_and_names_what_was_in_progress() -> None:
    progress = approved()
    for change in CREATED:
        progress.take(Event("apply", "progress", change=change))
    assert progress.stop()[1] == ("written", "1 of 2 objects; Service shop/postgresql was in progress")


def test_a_run_that_is_stopped_after_its_last_write_has_written_everything() -> None:
    progress = approved()
    for change in CREATED:
        progress.take(Event("apply", "progress", change=change))
    progress.take(Event("apply", "done", seconds=0.1))
    assert progress.stop()[1] == ("written", "2 of 2 objects")


def test_the_cause_of_a_failure_is_found_in_the_log_that_was_followed() -> None:
    progress = approved()
    progress.take(Event("first backup", "log", LINE))
    rows = dict(progress.fail(Unreachable("the first backup failed")))
    assert rows["✗"] == "the first backup failed"
    assert rows["cause"]
    assert rows["written"] == "0 of 2 objects"
    assert progress.question.startswith("repository.credentials")
    assert progress.message


def test_where_no_log_was_followed_that_of_the_error_is_kept() -> None:
    progress = ApplyProgress()
    progress.fail(Unreachable("the first backup failed", log=(LINE,)))
    assert list(progress.log) == [LINE]


def test_a_failure_before_the_approval_lists_its_findings_and_wrote_nothing() -> None:
    progress = ApplyProgress()
    rows = progress.fail(PreflightError("2 problems", [Finding("storage.size", "cannot shrink"), Finding(text="b")]))
    assert [text for word, text in rows if word == ""] == ["storage.size: cannot shrink", "b"]
    assert "written" not in dict(rows)
    assert progress.question == "storage.size"


def test_a_run_that_succeeded_without_a_plan_has_no_commands_to_connect_with() -> None:
    progress = ApplyProgress()
    rows = progress.succeed(ApplyOutcome("unchanged", (), "Already up to date."), CURRENT_CONTEXT)
    assert rows == [("✓", "Already up to date.")]
    assert (progress.question, progress.message) == ("", "")
