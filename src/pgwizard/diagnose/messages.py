"""The page of messages, ``docs/errors.md``, as entries to search: message, cause and fix.

It owns where the page is and how it is parsed. The messages themselves are written in the page alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. key: its anchor; text: with ``…`` for what differs; cause: empty where text names it.

    answer: the question that is most likely at fault, as a dotted path; both may be empty. Without a key it is a
    finding that no message of the page explains.
    """

    key: str
    text: str
    cause: str
    answer: str
    fix: str

    @property
    def link(self) -> str:
        """Its address in the documentation; empty where it has none."""
        return link(self.key) if self.key else ""

    def holds(self, words: str) -> bool:
        """Whether it contains each of these words, in any case. A word with ``#`` must be the whole link."""
        text = " ".join((self.link, self.text, self.cause, self.answer, self.fix)).lower()
        return all(word in text if "#" not in word else word == self.link for word in words.lower().split())


def link(key: str) -> str:
    """Where the message of a key is explained."""
    return f"docs/errors.md#{key}"


def read(page: str) -> tuple[Entry, ...]:
    """The entries of a page, in its order: each row of a table whose first cell begins with an anchor."""
    entries, titles = [], ("", "", "")
    for line in page.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 3 or cells[0].startswith("---"):
            continue
        anchor = re.match(r'<a id="([^"]+)"></a>', cells[0])
        if anchor is None:
            titles = (cells[0], cells[1], cells[2])
            continue
        text, second, fix = (cell.replace("`", "") for cell in (cells[0][anchor.end() :], cells[1], cells[2]))
        about_answer = titles[1] == "answer"
        entries.append(Entry(anchor[1], text, "" if about_answer else second, second if about_answer else "", fix))
    return tuple(entries)


@cache
def entries() -> tuple[Entry, ...]:
    """The entries of the page in the package; in a checkout, of the one in docs/."""
    package_page = Path(__file__).parents[1] / "docs" / "errors.md"
    page = package_page if package_page.is_file() else Path(__file__).parents[3] / "docs" / "errors.md"
    return read(page.read_text(encoding="utf-8"))
