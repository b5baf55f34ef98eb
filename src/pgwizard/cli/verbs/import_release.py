"""``import``: a running release becomes a file of answers."""

from __future__ import annotations

import json

from pgwizard.answers.reference import answers_text
from pgwizard.cli import connect
from pgwizard.cli.json_lines import WarningLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import IMPORT_EXIT_CODE, JSON, NAMESPACE, OUTPUT_FILE
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.kube.api import Cluster
from pgwizard.local.files import write_text
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.live_answers import ImportedAnswers, import_answers
from pgwizard.release.live_objects import collect
from pgwizard.wizard.draft import dump, without_defaults

UNEXPRESSED_CODE = 1
"""Exit code of ``import --exit-code`` if the release has something that no answer expresses."""


def import_release(call: Invocation, writer: Writer) -> int:
    """Print the answers, or write them into a file; what no answer expresses goes to standard error."""

    async def work(cluster: Cluster, _: Clock) -> ImportedAnswers:
        release = ReleaseRef(call[NAMESPACE] or cluster.namespace, call.word)
        return import_answers(await collect(cluster, release))

    import_ = connect.run(call, writer, work, has_release=True)
    release = import_.answers.release
    answers = without_defaults(dump(import_.answers))
    answers = {
        **answers,
        "release": {"name": release.name, "namespace": release.namespace, **answers.get("release", {})},
    }
    text = json.dumps(answers, indent=2, ensure_ascii=False) + "\n" if call[JSON] else answers_text(answers)
    if (path := call[OUTPUT_FILE]) is not None:
        write_text(path, text)
    else:
        writer.put(text)
    for finding in import_.findings:
        writer.note(f"warning: {finding.whole}", WarningLine.of(finding))
    return UNEXPRESSED_CODE if call[IMPORT_EXIT_CODE] and import_.findings else 0
