"""A secret shows itself nowhere."""

from __future__ import annotations

import pickle

import pytest

from pgwizard.answers.secrets import Sensitive


def test_a_secret_shows_itself_nowhere() -> None:
    value = Sensitive(b"hunter2")
    assert [str(value), repr(value), f"{value}", f"{value:>20}", "%s" % value, str([value])] == [  # noqa: UP031
        *["Sensitive(***)"] * 5,
        "[Sensitive(***)]",
    ]
    assert value.reveal() == b"hunter2"


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(Sensitive(b"hunter2"))


def test_a_secret_has_no_attributes_to_list() -> None:
    assert not hasattr(Sensitive(b"hunter2"), "__dict__")
