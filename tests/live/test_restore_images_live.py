"""The restores of ``make restores`` with newer images: PostgreSQL 17 with pgBackRest 2.55, and 18 with 2.60."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live_releases import Site, site
from support.restores import Restores, build, images
from support.rigtools import LIVE, LONG

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]


@pytest.fixture(params=[17, 18])
def place(request: pytest.FixtureRequest, kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    if "PGWIZARD_TEST_RIG" not in os.environ:
        pytest.skip("PGWIZARD_TEST_RIG is not set: nothing builds the image")
    build(os.environ["PGWIZARD_TEST_RIG"], request.param)
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply({"images": images(request.param)})
        yield scene


def test_every_restore_reaches_its_target_and_a_drill_passes(place: Site) -> None:
    scenarios = list(Restores(place, "").scenarios())
    assert [(each.name, each.rows) for each in scenarios] == [
        ("drill", "1"),
        ("newest", "1,2,3,4"),
        ("before a dropped table", "1,2,3,4"),
        ("before a transaction", "1,2,3"),
        ("named restore point", "1,2"),
        ("time", "1"),
        ("time of a branch that was left", "1,2,3"),
        ("end of a backup", "1,2,3,4"),
        ("undo", "1,2,3"),
    ]
