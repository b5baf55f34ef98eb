"""An answer as a line of text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgwizard.answers import strict_yaml
from pgwizard.answers.schema import field_at
from pgwizard.plan.pgbackrest import is_secret
from pgwizard.wizard.text_input import read_text, write_text

NAME = st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda name: not is_secret(name))
VALUE = st.text(st.sampled_from("ab;=:\\,'\" %"), min_size=1)


@given(st.dictionaries(NAME, VALUE, max_size=4))
def test_names_and_values_are_typed_as_they_are_shown(parameters: dict[str, str]) -> None:
    result = field_at(("tuning", "parameters"), lambda _: "")
    assert result is not None
    assert read_text(result, write_text(parameters)) == parameters


def test_a_dictionary_is_typed_with_colons_too() -> None:
    result = field_at(("tuning", "parameters"), lambda _: "")
    assert result is not None
    typed = "work_mem: 4MB; ssl_key_file=/a:b; ; jit=false"
    assert read_text(result, typed) == {"work_mem": "4MB", "ssl_key_file": "/a:b", "jit": False}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("log_line_prefix='%m [%p] '; jit=off", {"log_line_prefix": "%m [%p] ", "jit": "off"}),
        ("log_line_prefix = ' x'", {"log_line_prefix": " x"}),
        ("search_path='\"$user\", public'", {"search_path": '"$user", public'}),
        ("application_name='it''s'", {"application_name": "it's"}),
        ("application_name=it's", {"application_name": "it's"}),
        ("application_name=''", {"application_name": ""}),
    ],
)
def test_quotes_are_read_as_in_postgresql_conf_and_keep_blanks(typed: str, value: dict[str, str]) -> None:
    result = field_at(("tuning", "parameters"), lambda _: "")
    assert result is not None
    assert read_text(result, typed) == value
    assert read_text(result, write_text(value)) == value


@pytest.mark.parametrize("text", ["true", "True", "on", "null", "5", "08", "-0", "0.5", "1e3", "1.123456789", "a b"])
def test_a_value_that_is_typed_is_what_the_file_would_make_of_it(text: str) -> None:
    result = field_at(("tuning", "parameters"), lambda _: "")
    assert result is not None
    in_file = strict_yaml.read(f"x: {text}".encode()).value["x"]
    assert read_text(result, f"x={text}")["x"] == (text if in_file is None else in_file)
