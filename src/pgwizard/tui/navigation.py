"""Navigation: a screen requests another one by a message, and the application opens it.

Screens are named here and loaded when first wanted, so no screen imports another. What an apply does to the release is
published by the application as one signal, ``applied``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rich.style import Style
from rich.text import Text
from textual.message import Message

if TYPE_CHECKING:
    from pgwizard.answers.questions import Answers
    from pgwizard.endpoint import Endpoint
    from pgwizard.errors import Finding
    from pgwizard.plan.names import ReleaseRef
    from pgwizard.tls.names import Rules

WIZARD = "pgwizard.tui.screens.wizard:Wizard"
STATUS = "pgwizard.tui.screens.status:StatusScreen"
BROWSER = "pgwizard.tui.screens.secret_browser:SecretBrowser"


@dataclass
class Open(Message):
    """Asks for a screen, which is made with the fields of the message in their order.

    on_close: called with what the screen ends with.
    """

    screen: ClassVar[str]
    on_close: Callable[[Any], None] | None = field(default=None, kw_only=True, repr=False)

    def arguments(self) -> list[Any]:
        """What the screen is made with."""
        return [getattr(self, each.name) for each in fields(self) if each.name != "on_close"]


@dataclass
class OpenStatus(Open):
    """The status of a release. Where it is open already, below this screen, go back to it."""

    screen = STATUS
    release: ReleaseRef


@dataclass
class OpenWizard(Open):
    """The wizard over this screen. raw: the answers of the release to change, as nested keys of the file."""

    screen = WIZARD
    raw: dict[str, Any] | None


@dataclass
class OpenApply(Open):
    """Apply these answers. Ends with the dotted path of a question to go back to; empty for none.

    opened_release: the release that the answers were opened from, if any.
    """

    screen = "pgwizard.tui.screens.apply:ApplyScreen"
    answers: Answers
    opened_release: ReleaseRef | None = None


@dataclass
class OpenRestore(Open):
    """Restore a release."""

    screen = "pgwizard.tui.screens.restore:RestoreScreen"
    release: ReleaseRef


@dataclass
class OpenSecretBrowser(Open):
    """Choose a Secret. own_namespace: of the release; current: namespace and name of the Secret that is chosen now.

    Ends with a ``Chosen``, or None.
    """

    screen = BROWSER
    purpose: Literal["ca", "s3", "database", "passphrase"]
    endpoint: Endpoint
    own_namespace: str
    current: tuple[str, str]
    rules: Rules


@dataclass
class OpenMessages(Open):
    """Every message with its cause and fix. words: what to look for first; findings: what to explain before them."""

    screen = "pgwizard.tui.screens.messages:Messages"
    words: str = ""
    findings: Sequence[Finding] = ()


@dataclass
class Applied(Message):
    """An apply of these answers has begun to write, or has ended. complete: whether all of them are in the cluster.

    Sent to the application, which publishes it as its signal ``applied``.
    """

    answers: Answers
    complete: bool


def message_link(link: str) -> Text:
    """A link that opens a message by a click. link: a key of the project's own messages, never text of a cluster."""
    return Text(link, Style(underline=True, meta={"@click": f"app.messages({link!r})"}))
