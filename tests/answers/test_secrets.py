"""A secret shows itself nowhere."""

from __future__ import annotations

import pickle

import pytest

from pgwizard.answers.secrets import Sensitive, access_key_doubts


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


@pytest.mark.parametrize(
    ("access_key", "fault"),
    [
        (b"AKIAIOSFODNN7EXAMPLE", ""),
        (b"minioadmin", ""),
        (b"ASIAIOSFODNN7EXAMPLE", "is one of AWS's temporary keys (ASIA...), which need a session token and expire"),
        (b"ASIA", ""),
        (b"bWluaW9hZG1pbg==", "is encoded in base64 once more"),
        (b"bWluaW9hZG1pbgo=", "is encoded in base64 once more"),
        (b"user=", ""),
        (b'"minioadmin"', "is in quotes, which would be part of it"),
        (b"'minioadmin'", "is in quotes, which would be part of it"),
        (b"", ""),
    ],
)
def test_an_access_key_that_no_server_gives_is_doubted(access_key: bytes, fault: str) -> None:
    doubts = list(access_key_doubts(access_key, "the key", "repository.credentials"))
    assert len(doubts) == bool(fault)
    assert all(doubt.text.startswith(f"the key {fault}") and doubt.fix for doubt in doubts)
