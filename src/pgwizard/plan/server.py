"""The server that pgBackRest connects to, from every answer that affects it. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from pgwizard.answers.questions import Answers
from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding
from pgwizard.plan import pgbackrest
from pgwizard.plan.pgbackrest import strip_index
from pgwizard.text import plain
from pgwizard.tls.names import Rules

_HOSTS = ("repo-storage-host", "repo-s3-host")
_PORTS = ("repo-storage-port", "repo-s3-port")
"""The present name first, then the deprecated one."""


def s3_server(answers: Answers) -> Endpoint:
    """Where it connects to; its host is also what the server's certificate must name.

    The style ``host`` puts the bucket before the endpoint's host. ``repo1-storage-host`` replaces host and port: with
    no port of its own it means 443, whatever the endpoint has. ``repo1-storage-port`` replaces the port last. Source:
    src/storage/s3/helper.c and storage.c. An option that ``server_findings`` reports changes nothing here.
    """
    repository = answers.repository
    server = repository.s3_endpoint
    if repository.uri_style == "host":
        server = replace(server, host=f"{repository.bucket}.{server.host}")
    for _, value in _option_values(answers, _HOSTS):
        with contextlib.suppress(ValueError):
            server = Endpoint.parse(value)
    for _, value in _option_values(answers, _PORTS):
        if _is_port(value):
            server = replace(server, port=int(value))
    return server


def name_rules(answers: Answers) -> Rules:
    """Those of the pgBackRest that the answers name, for the names in the server's certificate."""
    return pgbackrest.rules(pgbackrest.version(answers.images.pgbackrest_version))


def host_question(answers: Answers) -> str:
    """The answer that contains the server's host."""
    options = [name for name, value in _option_values(answers, _HOSTS) if _is_endpoint(value)]
    return f"advanced.options.{options[-1]}" if options else "repository.endpoint"


def server_findings(answers: Answers) -> Iterator[Finding]:
    """Findings for a host that DNS cannot contain, and for options without a valid host or port."""
    server, question = s3_server(answers), host_question(answers)
    if not server.has_possible_host:
        if question == "repository.endpoint" and answers.repository.s3_endpoint.has_possible_host:
            question = "repository.bucket"
        host = plain(server.host, 80)
        yield Finding(question, f"{host} cannot be a host name: expected 1 to 63 characters between two dots")
    for name, value in _option_values(answers, _HOSTS):
        try:
            Endpoint.parse(value)
        except ValueError as error:
            yield Finding(f"advanced.options.{name}", str(error))
    for name, value in _option_values(answers, _PORTS):
        if not _is_port(value):
            yield Finding(f"advanced.options.{name}", f"{value} is not a port; expected 1 to 65535")


def _option_values(answers: Answers, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, value in answers.advanced.options.items():
        if strip_index(name) in names:
            yield name, value


def _is_endpoint(text: str) -> bool:
    try:
        Endpoint.parse(text)
    except ValueError:
        return False
    return True


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdecimal() and 0 < int(value) < 65536
