"""The page of messages as entries."""

from __future__ import annotations

import pytest

from pgwizard.diagnose import messages
from pgwizard.diagnose.diagnose import ROWS
from support.headless import ROOT

PAGE = """\
# Messages

| message | cause | fix |
|---|---|---|
| <a id="size"></a>`… is not a size…` | `10GB`, `10 Gi` | Kubernetes' units: `10Gi` \\| `500Mi` |
| no anchor | x | y |

| message | answer | fix |
|---|---|---|
| <a id="s3-unknown-key"></a>`The S3 store does not know this access key.` | `repository.credentials` | Put one in. |
"""
SIZE = messages.Entry("size", "… is not a size…", "10GB, 10 Gi", "", "Kubernetes' units: 10Gi | 500Mi")
KEY = messages.Entry(
    "s3-unknown-key", "The S3 store does not know this access key.", "", "repository.credentials", "Put one in."
)


def test_each_row_with_an_anchor_is_an_entry() -> None:
    assert messages.read(PAGE) == (SIZE, KEY)


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("", {"size", "s3-unknown-key"}),
        ("KEY access", {"s3-unknown-key"}),
        ("kubernetes", {"size"}),
        ("docs/errors.md#size", {"size"}),
        ("docs/errors.md#si", set()),
        ("key size", set()),
    ],
)
def test_words_are_found_in_any_order_and_a_link_finds_its_own_alone(words: str, keys: set[str]) -> None:
    assert {entry.key for entry in (SIZE, KEY) if entry.holds(words)} == keys


def test_every_row_of_the_page_is_read_and_every_diagnosis_is_found_by_its_link() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert len(messages.entries()) == page.count("<a id=")
    for row in ROWS:
        assert [entry.key for entry in messages.entries() if entry.holds(messages.link(row.key))] == [row.key]
