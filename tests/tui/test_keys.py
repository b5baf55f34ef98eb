"""Keys one after another: a defect of one is reported, and the next one is still passed on."""

from __future__ import annotations

from textual.app import App
from textual.events import Key, Paste
from textual.pilot import Pilot

from pgwizard.tui.keys import Keys, key_name
from support import simtime
from support.screens import notices, opened, until


def test_a_defect_of_a_key_is_reported_and_the_next_key_is_passed_on() -> None:
    handled: list[str] = []

    async def handle(event: Key | Paste) -> None:
        assert isinstance(event, Key)
        if event.key == "x":
            raise KeyError("defect")
        handled.append(event.key)

    async def main() -> None:
        app = App[int]()
        async with opened(app) as pilot:
            keys = Keys(app, handle)
            for key in ("a", "x", "b"):
                keys.press(Key(key, key))
            await until(pilot, lambda: handled == ["a", "b"])
            await until(pilot, lambda: reports(pilot) == 1)
            await keys.close()

    simtime.run(main())


def reports(pilot: Pilot[int]) -> int:
    return sum("a bug in pgwizard: KeyError" in notice for notice in notices(pilot))


def test_keys_are_named_as_on_the_keyboard() -> None:
    keys = ["ctrl+n", "escape", "slash", "N", "pageup", "f8", "shift+left"]
    assert list(map(key_name, keys)) == ["Ctrl+N", "Esc", "/", "N", "PgUp", "F8", "Shift+Left"]
