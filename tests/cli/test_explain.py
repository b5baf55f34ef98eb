"""``explain``: the messages of docs/errors.md, by their words."""

from __future__ import annotations

import json

from pgwizard.diagnose import messages
from support.headless import run


def test_a_link_finds_its_own_message_alone() -> None:
    done = run("explain", "docs/errors.md#s3-access-denied")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "The key pair is valid, but its policy does not allow this request.\n"
        "  answer  repository.credentials\n"
        "  fix     Allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on the "
        "repository's path.\n"
        "  link    docs/errors.md#s3-access-denied\n"
    )


def test_all_words_are_in_each_message_that_is_found() -> None:
    found = [json.loads(line) for line in run("explain", "CERTIFICATE", "expired", "--json").out.splitlines()]
    assert 0 < len(found) < len(messages.entries())
    for line in found:
        text = " ".join(map(str, line.values())).lower()
        assert "certificate" in text
        assert "expired" in text


def test_without_words_every_message_is_listed() -> None:
    lines = run("explain").out.splitlines()
    assert [line.split()[0] for line in lines] == [entry.key for entry in messages.entries()]


def test_words_that_no_message_holds_are_refused() -> None:
    done = run("explain", "no", "such-thing")
    assert (done.code, done.err) == (
        2,
        "pgwizard: no message holds all of: no such-thing\nFewer words find more; without any all are listed.\n",
    )
