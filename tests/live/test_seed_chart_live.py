"""A hand-written chart of the architecture document's shape, installed by Helm, and what pgwizard makes of it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.test_chart_live import helm
from support.headless import ROOT
from support.helm import HELM
from support.live_releases import Done, Site, site
from support.rigtools import LIVE
from support.waiting import KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")]
CHART = ROOT / "tests" / "fixtures" / "seed-chart"


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path, "purpose=seed-chart", create=False) as scene:
        yield scene


def verb(place: Site, *words: str, expect: int = 0) -> Done:
    return place.pgwizard(*place.command(None, *words), expect=expect)


def test_a_release_of_the_seed_chart_is_imported_and_left_as_it_is_where_it_cannot_be_taken_over(place: Site) -> None:
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
    pod = place.pod_uid()
    place.sql("CREATE TABLE kept AS SELECT 42 AS answer")

    namespace = f"--namespace={place.kubectl.namespace}"
    line = json.loads(verb(place, "status", "postgresql", namespace, "--json").out)
    assert (line["verdict"]["state"], line["release"]["manager"]) == ("recoverable", "Helm release postgresql")

    answers = str(place.folder / "imported.yaml")
    imported = verb(place, "import", "postgresql", namespace, "-o", answers)
    assert "of-a-test" not in imported.output + Path(answers).read_text()
    assert "tls.caFile" in imported.err, "the mirrored certificate does not say where it comes from"
    assert "StatefulSet postgresql cannot be taken over: its spec.selector" in imported.err, imported.err
    mirror = place.kubectl.json("get", "secret", "postgresql-minio-ca")
    (place.folder / "ca.crt").write_bytes(base64.b64decode(mirror["data"]["tls.crt"]))
    assert "belongs to Helm release postgresql" in verb(place, "diff", answers, expect=6).output
    # Its selector has other labels, and a StatefulSet cannot change its selector: it is refused before any write.
    for words in (["diff", answers, "--take-over"], ["apply", answers, "--yes", "--take-over"]):
        refused = verb(place, *words, expect=5).output
        assert "nothing was written" in refused
        assert "a StatefulSet cannot change this in place" in refused

    assert place.pod_uid() == pod
    assert place.sql("SELECT answer FROM kept") == "42"
    assert place.backups() == ["full"]
    assert helm(place, "list", "--short").strip() == "postgresql"
    assert json.loads(verb(place, "status", "postgresql", namespace, "--json").out)["verdict"]["state"] == "recoverable"
