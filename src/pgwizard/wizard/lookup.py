"""Checks answers against the cluster while a person edits them: ``look_up`` reports each result at once.

First what the answers name and the cluster does not have, then the findings of the checks. It does not decide how often
to ask, nor what is shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime

from pgwizard.answers.questions import Answers
from pgwizard.errors import Finding, PgwizardError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import checks, survey
from pgwizard.release.report import finding_of
from pgwizard.tls.certificates import Bundle


@dataclass(frozen=True, slots=True)
class LookupStep:
    """What is known so far. bundle: the certificate that the answers name; None where there is none to be had.

    warnings: None until they are known. is_incomplete: whether something could not be read, so that another look-up is
    worthwhile.
    """

    bundle: Bundle | None
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...] | None = None
    is_incomplete: bool = False


async def look_up(
    cluster: Cluster, answers: Answers, ca_file: Bundle | None, opened_release: ReleaseRef | None, *, at: datetime
) -> AsyncGenerator[LookupStep, None]:
    """What the answers name, then also the findings of the checks.

    ca_file: the certificate that the answers name as a file; opened_release: that which is being changed, None for
    a new one. A cluster that does not answer is a finding, never raised.
    """
    try:
        survey_result = await survey.survey(cluster, answers, ca_file, at=at)
    except PgwizardError as error:
        yield LookupStep(ca_file, (finding_of(error),), warnings=(), is_incomplete=True)
        return
    learnt = LookupStep(survey_result.ca, survey_result.errors)
    yield learnt
    findings = await checks.run(checks.Subject(cluster, answers, survey_result, at, opened_release))
    errors = [finding for finding in findings if finding.severity == "error"]
    warnings = [finding for finding in findings if finding.severity == "warning"]
    yield replace(learnt, errors=(*learnt.errors, *errors), warnings=(*survey_result.doubts, *warnings))
