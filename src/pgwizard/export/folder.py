"""The files that an export writes, in each format. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pgwizard.export.chart import chart
from pgwizard.export.kustomize import file_names, kustomize
from pgwizard.plan import manifests
from pgwizard.plan.plan import Plan

ExportFormat = Literal["helm", "kustomize", "yaml"]


@dataclass(frozen=True, slots=True)
class ExportFolder:
    """texts: the files by their path in the folder. replaceable: every path that an export of this format may write."""

    texts: dict[str, str]
    replaceable: frozenset[str]


def export_folder(plan: Plan, form: ExportFormat) -> ExportFolder:
    """The folder of a plan. A chart needs no certificate at hand, the others do.

    No format has the Secrets that are rendered without values: ``kubectl apply`` would remove the values of one that
    was made with ``kubectl apply`` or ``--save-config``.
    """
    match form:
        case "helm":
            texts = chart(plan)
            return ExportFolder(texts, frozenset(texts))
        case "kustomize":
            return ExportFolder(kustomize(plan), file_names())
    items = (manifest for manifest in manifests.render(plan) if manifest.role not in manifests.SECRETS_TO_CREATE)
    return ExportFolder({each.file_name: each.text for each in items}, frozenset(manifests.FILE_NAMES))
