"""How live tests are spread over workers."""

from __future__ import annotations

from support.headless import ROOT
from support.live_workers import LONGEST, may_be_live, unit

LIVE = ROOT / "tests" / "live"


def test_tests_that_share_a_release_go_to_one_worker_and_others_to_any() -> None:
    shared = "tests/live/test_live_changes_live.py"
    assert unit(ROOT, f"{shared}::test_one[a case]") == unit(ROOT, f"{shared}::test_other") == shared
    own = "tests/live/test_restore_live.py::test_every_kind_of_target_is_reached"
    assert unit(ROOT, own) == own


def test_a_run_of_the_live_tests_reads_their_files_alone() -> None:
    assert may_be_live(LIVE / "test_restore_live.py")
    assert may_be_live(ROOT / "tests" / "kube" / "test_cluster_contract.py")
    assert not may_be_live(ROOT / "tests" / "plan" / "test_template_cache.py")


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (LIVE / name).is_file()] == []
