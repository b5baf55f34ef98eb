"""Scheme, host and port of an S3 endpoint."""

from __future__ import annotations

import pytest

from pgwizard.endpoint import Endpoint
from pgwizard.tui.panels.repository import RepositoryPanel
from pgwizard.wizard.draft import Draft


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("a", Endpoint("https", "a", 443)),
        ("a:9000", Endpoint("https", "a", 9000)),
        ("https://a/", Endpoint("https", "a", 443)),
        ("https://s3.example.com:8443/", Endpoint("https", "s3.example.com", 8443)),
        ("http://a", Endpoint("http", "a", 80)),
        ("HTTP://a", Endpoint("http", "a", 80)),
        ("HTTPS://A", Endpoint("https", "A", 443)),
        ("http://a:81/", Endpoint("http", "a", 81)),
        ("[::1]", Endpoint("https", "::1", 443)),
        ("[2001:db8::1]:9000", Endpoint("https", "2001:db8::1", 9000)),
        ("http://[fd00::1]/", Endpoint("http", "fd00::1", 80)),
    ],
)
def test_an_endpoint_is_scheme_host_and_port(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint


@pytest.mark.parametrize(
    ("host", "is_address"),
    [("10.0.0.1", True), ("[::1]", True), ("minio", False), ("1.2.3.a", False), ("minio.123", False)],
)
def test_an_address_is_not_a_name(host: str, is_address: bool) -> None:
    assert Endpoint.parse(host).is_address == is_address


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.300:9000", "0x7f.1", "1.2.3", "010.0.0.1", "127.1:9000", "2130706433", "0x7f000001", "1.2.3.4.5"),
        *("10.0.0.1.:9000", "https://10.0.0.0x1/", "192.168.1.256", "0.0.0.00", "0X7F.0.0.1"),
    ],
)
def test_numbers_that_programs_read_as_different_addresses_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="numbers that are not an IPv4 address; expected four from 0 to 255"):
        Endpoint.parse(host)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("https://s3.example.com/", "s3.example.com"),
        ("a:9000/", "a:9000"),
        ("http://a:9000", "http://a:9000"),
        ("[::1]:9000", "[::1]:9000"),
        ("https://[FD00::1]:9000", "[FD00::1]:9000"),
        ("[::ffff:10.0.0.1]:9000", "[::ffff:a00:1]:9000"),  # pgBackRest takes no dots within brackets
        ("HTTPS://a:9000", "a:9000"),
    ],
)
def test_pgbackrest_gets_the_scheme_only_where_it_is_http(answer: str, text: str) -> None:
    assert str(Endpoint.parse(answer)) == text


@pytest.mark.parametrize("text", ["", "a b", "host:x", "http://a/b", "ftp://a"])
def test_an_invalid_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an endpoint: expected host:port"):
        Endpoint.parse(text)


@pytest.mark.parametrize("text", ["[]:9000", "[zz::1]", "[1.2.3.4]:9000", "[fd00:::1]", "[minio]:9000"])
def test_brackets_hold_an_ipv6_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv6 address; expected such as"):
        Endpoint.parse(text)


def test_the_zone_of_an_address_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="has a zone, which pgBackRest does not take"):
        Endpoint.parse("[fe80::1%eth0]:9000")


@pytest.mark.parametrize("text", ["host:0", "host:99999"])
def test_a_port_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port; expected 1 to 65535"):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    ("endpoint", "style", "url"),
    [
        ("http://minio:9000", "path", "http://minio:9000/backups/postgresql"),
        ("https://s3.example.com/", "host", "https://backups.s3.example.com/postgresql"),
        ("[::1]:9000", "path", "https://[::1]:9000/backups/postgresql"),
    ],
)
def test_the_panel_shows_the_url_with_the_scheme_of_the_answer(endpoint: str, style: str, url: str) -> None:
    repository = {"endpoint": endpoint, "uriStyle": style, "bucket": "backups", "path": "/postgresql"}
    assert f"\n  {url}\n" in RepositoryPanel(Draft({"repository": repository})).text().plain
