"""A hand-written chart of the architecture document's shape, installed by Helm, and then managed with pgwizard."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.test_chart_live import helm
from support.headless import ROOT
from support.helm import HELM
from support.live_releases import HOOK, Done, Site, site
from support.rigtools import LIVE
from support.waiting import KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")]
CHART = ROOT / "tests" / "fixtures" / "seed-chart"


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path, "purpose=seed-chart", create=False) as found:
        yield found


def verb(place: Site, *words: str, expect: int = 0) -> Done:
    return place.pgwizard(*place.command(None, *words), expect=expect)


def test_a_release_of_the_seed_chart_is_imported_and_taken_over_with_its_data_and_backups(place: Site) -> None:
    values = place.folder / "values.yaml"
    s3 = {
        "path": place.path,
        "accessKey": os.environ["RIG_S3_ACCESS_KEY"],
        "secretKey": os.environ["RIG_S3_SECRET_KEY"],
    }
    file = {
        "auth": {"password": "of-a-test"},
        "storage": {"size": "1Gi"},
        "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "pgbackrest": {"s3": s3},
    }
    values.write_text(json.dumps(file))
    helm(place, "install", "postgresql", CHART, "-f", values, "--wait", KUBECTL_DEADLINE)
    assert place.backups() == ["full"]
    place.sql("CREATE TABLE kept AS SELECT 42 AS answer")

    namespace = f"--namespace={place.kubectl.namespace}"
    line = json.loads(verb(place, "status", "postgresql", namespace, "--json").out)
    assert (line["verdict"]["state"], line["release"]["manager"]) == ("recoverable", "Helm release postgresql")

    answers = str(place.folder / "imported.yaml")
    imported = verb(place, "import", "postgresql", namespace, "-o", answers)
    assert "of-a-test" not in imported.output + Path(answers).read_text()
    assert "belongs to Helm release postgresql" in verb(place, "diff", answers, expect=6).output
    changes = verb(place, "diff", answers, "--take-over").out
    assert "StatefulSet" in changes
    verb(place, "apply", answers, "--yes", "--take-over")

    assert place.sql("SELECT answer FROM kept") == "42"
    assert place.backups() == ["full"], "the hook Job took none: there is a valid one"
    assert place.get("job", HOOK)["status"]["succeeded"] == 1
    assert helm(place, "list", "--short").strip() == ""
    verb(place, "diff", answers, "--exit-code")
    assert json.loads(verb(place, "status", "postgresql", namespace, "--json").out)["verdict"]["state"] == "recoverable"
