"""Where backups are stored, and pgbackrest.conf."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from pgwizard.plan.manifests import repository_options
from pgwizard.plan.pgbackrest import is_secret
from pgwizard.plan.plan import Facts, resolve
from pgwizard.tui.panels.base import Panel


class RepositoryPanel(Panel):
    """See the module. What may be a secret is never shown."""

    def text(self) -> Text:
        text, answers = Text(), self.draft.answers
        repository = answers.repository
        if not repository.enabled:
            text.append("No backups\n", "bold")
            return text.append("PostgreSQL runs without a repository: lost data cannot be recovered.")
        url = repository.s3_endpoint.url(repository.bucket, repository.path, in_host=repository.uri_style == "host")
        text.append("Backups go to\n", "bold")
        text.append(f"  {url}\n")
        text.append("  backup/   the backups    archive/   the WAL\n\n", "dim")
        text.append("With the key pair of\n", "bold")
        text.append(f"  {_source(repository.credentials)}\n\n")
        text.append("pgbackrest.conf, [global]\n", "bold")
        for pair in repository_options(resolve(answers, Facts())):
            text.append(f"  {pair.name}", "dim").append(f"={'***' if is_secret(pair.name) else pair.value}\n")
        return text


def _source(credentials: Any) -> str:
    if credentials.source == "existing":
        where = f"{credentials.namespace}/" if credentials.namespace else ""
        return f"Secret {where}{credentials.secret}: {credentials.access_key_key}, {credentials.secret_key_key}"
    what = "variables" if credentials.source == "env" else "files"
    return f"{what} {credentials.access_key}, {credentials.secret_key}"
