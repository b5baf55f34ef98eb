"""The translation of the templates: each construct has its twin, and anything else is refused with its place."""

from __future__ import annotations

import pytest

from pgwizard.export.translate import Terms, Untranslatable, translate

TERMS = Terms(
    fields={"name": "$.Release.Name", "port": "$.Values.port", "tls": "$.Values.tls", "ref.key": "$.Values.ref.key"},
    lists={"secrets": "$.Values.secrets"},
    blocks={"labels": 'include "labels" $'},
    functions={'file("a.sh")': '(include "a.sh" $)', "ca_certificate()": '(include "ca" $)'},
    whole_numbers=frozenset({"port"}),
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("name: {{ name }}\n", "name: {{ toJson $.Release.Name }}\n"),
        ("key: {{ ref.key }}\n", "key: {{ toJson $.Values.ref.key }}\n"),
        ("port: {{ port }}\n", "port: {{ int64 $.Values.port }}\n"),
        (
            "a\n{% if tls %}\nb\n{% else %}\nc\n{% endif %}\nd\n",
            "a\n{{- if $.Values.tls }}\nb\n{{- else }}\nc\n{{- end }}\nd\n",
        ),
        (
            "a:\n{% for item in secrets %}\n  - {{ item.name }}\n{% endfor %}\n",
            "a:\n{{- range $item := $.Values.secrets }}\n  - {{ toJson $item.name }}\n{{- end }}\n",
        ),
        ('x: {{ "y" if tls else "n" }}\n', 'x: {{ toJson (ternary "y" "n" (not (empty $.Values.tls))) }}\n'),
        (
            'a: {{ file("a.sh") | block(4) }}\n',
            'a: |\n{{ (include "a.sh" $) | trimSuffix "\\n" | indent 4 }}\n',
        ),
        ("x: {{ ca_certificate() | sha256 }}\n", 'x: {{ toJson ((include "ca" $) | b64dec | sha256sum) }}\n'),
    ],
)
def test_a_construct_of_jinja_becomes_its_twin(source: str, expected: str) -> None:
    assert translate(source, "x.yaml", TERMS) == expected


def test_names_and_values_are_a_block_that_is_computed_once_a_file() -> None:
    loop = "{% for label in labels %}\n  {{ label.name }}: {{ label.value }}\n{% endfor %}\n"
    assert translate(f"a\n{{% if labels %}}\nb\n{loop}{{% endif %}}\nc\n{loop}", "x.yaml", TERMS) == (
        '{{- $labels := include "labels" $ -}}\n'
        "a\n{{- if $labels }}\nb\n{{- nindent 2 $labels }}\n{{- end }}\nc\n{{- nindent 2 $labels }}\n"
    )


def test_a_configuration_file_places_values_by_its_own_quoting() -> None:
    source = "{{ name | bare }} = {{ ref.key }}  # {{ name | comment }}\n"
    assert translate(source, "postgresql.conf", TERMS, "postgresql.conf") == (
        """{{ $.Release.Name }} = {{ $.Values.ref.key | replace "\\\\" "\\\\\\\\" | replace "'" "''" | squote }}"""
        "  # {{ $.Release.Name }}\n"
    )
    assert translate("a={{ ref.key }}\n", "pgbackrest.conf", TERMS, "pgbackrest.conf") == "a={{ $.Values.ref.key }}\n"


@pytest.mark.parametrize(
    ("source", "line", "node"),
    [
        ("a\n{{ other }}\n", 2, "Name"),
        ("{{ name.upper() }}\n", 1, "Call"),
        ("{{ name ~ name }}\n", 1, "Concat"),
        ("{{ port + 1 }}\n", 1, "Add"),
        ("{% set x = name %}\n", 1, "Assign"),
        ("{% for x in other %}\n{% endfor %}\n", 1, "For"),
        ("{% for x in secrets if x %}\n{% endfor %}\n", 1, "For"),
        ("{% for x in labels %}\n  {{ x.name }}\n{% endfor %}\n", 1, "For"),
        ("{% for x in labels %}\n  {{ x.value }}: {{ x.name }}\n{% endfor %}\n", 1, "For"),
        ("{% for x in labels %}\n- {{ x.name }}: {{ x.value }}\n{% endfor %}\n", 1, "For"),
        ("{% for x in labels %}\n  {{ x.name }}: {{ x.value }} \n{% endfor %}\n", 1, "For"),
        ("{% if tls %}\n{% elif name %}\n{% endif %}\n", 1, "If"),
        ("a: b{% if tls %}c{% endif %}\n", 1, "If"),
        ("a\n\n{% if tls %}\nc\n{% endif %}\n", 3, "If"),
        ("{{ 'x' if tls }}\n", 1, "CondExpr"),
        ("{{ labels[0] }}\n", 1, "Getitem"),
    ],
)
def test_what_has_no_twin_is_refused_with_its_place(source: str, line: int, node: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        translate(source, "x.yaml", TERMS)
    assert (caught.value.file, caught.value.line, caught.value.node) == ("x.yaml", line, node)
    assert str(caught.value) == f"x.yaml:{line}: {node} cannot be translated for Helm"


def test_braces_of_the_text_mean_nothing_to_helm() -> None:
    assert translate("{% raw %}a {{ b }}{% endraw %}.\n", "x", TERMS) == 'a {{ "{{" }} b }}.\n'
