"""The server that pgBackRest really connects to, by every answer that changes it. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from pgwizard.answers.questions import Answers
from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding
from pgwizard.plan.pgbackrest import strip_index

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
    for _, value in _given(answers, _HOSTS):
        with contextlib.suppress(ValueError):
            server = Endpoint.parse(value)
    for _, value in _given(answers, _PORTS):
        if _is_port(value):
            server = replace(server, port=int(value))
    return server


def server_findings(answers: Answers) -> Iterator[Finding]:
    """The options that change the server and have no host or no port."""
    for name, value in _given(answers, _HOSTS):
        try:
            Endpoint.parse(value)
        except ValueError as error:
            yield Finding(f"advanced.options.{name}", str(error))
    for name, value in _given(answers, _PORTS):
        if not _is_port(value):
            yield Finding(f"advanced.options.{name}", f"{value} is not a port; expected 1 to 65535")


def _given(answers: Answers, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, value in answers.advanced.options.items():
        if strip_index(name) in names:
            yield name, value


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdecimal() and 0 < int(value) < 65536
