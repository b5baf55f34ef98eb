"""The real helm and kubectl, where they are at hand, and what they make of an export."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from pgwizard.plan.plan import Plan
from support.waiting import DEADLINE_SECONDS

Objects = dict[tuple[str, str], dict[str, Any]]


def tool(name: str, variable: str) -> str | None:
    """The path of a program: of its variable, or on PATH, where the rig's tools are once its environment is set."""
    folders = [os.environ.get("KUBEBUILDER_ASSETS", ""), "/var/cache/pgrig/bin", os.environ.get("PATH", "")]
    return os.environ.get(variable) or shutil.which(name, path=os.pathsep.join(folders))


HELM = tool("helm", "RIG_HELM")
KUBECTL = tool("kubectl", "RIG_KUBECTL")


def write(folder: Path, texts: dict[str, str]) -> Path:
    """The files of an export."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One run of helm, without a cluster."""
    assert HELM is not None
    command = [HELM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)


def templated(chart: Path, plan: Plan, values: dict[str, Any], folder: Path) -> str:
    """The manifests of a chart for a plan's release, with those of the test hook."""
    given = folder / "values.json"
    ca = base64.b64decode(plan.ca_certificate or "").decode()
    text = json.dumps({**values, "tls": {**values["tls"], "certificate": ca}}, ensure_ascii=False)
    given.write_text(text, encoding="utf-8")
    operator = "--api-versions=monitoring.coreos.com/v1/PrometheusRule"
    done = helm("template", plan.names.release, chart, "-n", plan.namespace, "-f", given, operator)
    assert done.returncode == 0, done.stderr
    return done.stdout


_GO_PARSER = """\
{{- $documents := list }}
{{- range $path, $_ := .Files.Glob "documents/*" }}
{{- $documents = $.Files.Get $path | fromYaml | append $documents }}
{{- end }}
{{ dict "documents" $documents | toJson }}
"""
"""``fromYaml`` is the parser by which helm and kubectl read manifests."""


def parsed_by_go(texts: Iterable[str], folder: Path) -> list[Any]:
    """Each text, one YAML document, as Go reads it. folder: one of its own, for a chart that holds them."""
    files = {f"documents/{number:03}.yaml": text for number, text in enumerate(texts)}
    chart = {"Chart.yaml": "{apiVersion: v2, name: parser, version: 0.0.0}", "templates/all.yaml": _GO_PARSER}
    done = helm("template", "parser", write(folder, {**chart, **files}))
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return list(json.loads(line)["documents"])


def kustomized(folder: Path) -> Objects:
    """What ``kubectl kustomize`` makes of an overlay."""
    assert KUBECTL is not None
    command = [KUBECTL, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return objects(documents(done.stdout))


def documents(text: str) -> Iterator[Any]:
    """The documents of a YAML stream as Go writes it; many are alike among random answers, and parsed once."""
    return map(_document, separated(text))


def separated(text: str) -> list[str]:
    """The documents of a YAML stream, in which a line of three hyphens is nothing but their separator."""
    return re.split(r"(?m)^---$", text)


class _Loader(yaml.CSafeLoader):
    """Takes ``<<`` and ``=`` for texts where they are values, as Go does, which writes them without quotes."""


for _tag in ("merge", "value"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", lambda _, node: node.value)


@lru_cache(maxsize=4096)
def _document(text: str) -> Any:
    return yaml.load(text, _Loader)


def objects(objects_: Iterable[Any]) -> Objects:
    """By kind and name."""
    return {(item["kind"], item["metadata"]["name"]): item for item in objects_ if item}


def without_test(objects_: Objects) -> Objects:
    """The release's own objects: all but the Pod of ``helm test``."""
    return {place: item for place, item in objects_.items() if place[0] != "Pod"}
