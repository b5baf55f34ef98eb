"""The first line of the wizard: the release that the answers are for, and the state of the connection."""

from __future__ import annotations

from textual.widgets import Static

from pgwizard.tui.base import HostAccess
from pgwizard.tui.pages.pages import Pages
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.review_sections import counts

NARROW = 90
"""Columns. Below them there is no room for the rail: this line has the place and the counts of problems."""


class WizardHeader(HostAccess, Static):
    """Follows the connection and the width by itself, and the answers when ``follow`` is called."""

    def __init__(self, pages: Pages) -> None:
        super().__init__(id="header", markup=False)
        self._pages = pages

    def on_mount(self) -> None:
        self.watch(self.app, "link", self.follow)

    def on_resize(self) -> None:
        self.follow()

    def follow(self) -> None:
        """Show the answers and the page of now; nothing before there is a page."""
        pages = self._pages
        if not pages.page:
            return
        release = pages.draft.answers.release
        is_narrow = self.app.size.width < NARROW
        place = f"{pages.order.place}{counts(pages.draft)}   " if is_narrow else ""
        demo = ("DEMO: simulated   " if is_narrow else f"{DEMO}   ") if self.start.demo else ""
        link = self.host.link
        if is_narrow and link.startswith("not connected:"):  # the first page has the reason
            link = "not connected"
        self.update(f"pgwizard   {demo}{place}{release.namespace}/{release.name}   {link}", layout=False)
