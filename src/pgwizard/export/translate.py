"""Translates the Jinja2 templates into Go templates, as Helm reads them. Pure.

The templates use a small part of Jinja2, and that part is all that is translated: fields, ``if``, ``for`` over a list,
conditional expressions, and the filters and functions below. Everything else is refused with its place, so that a
template cannot be changed into something that Helm would render differently.

Each expression is written by ``toJson``, which is for Helm what the finalizer is for Jinja2: every value becomes one
quoted YAML scalar. Numbers reach Helm as floats, which Go prints as ``1e+06``: whole numbers pass ``int64``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jinja2 import Environment, nodes

TemplateKind = Literal["yaml", "postgresql.conf", "pgbackrest.conf"]


class Untranslatable(Exception):
    """A template uses a part of Jinja2 that has no twin in Helm. Names the file, the line and the node."""

    def __init__(self, file: str, line: int, node: str) -> None:
        super().__init__(f"{file}:{line}: {node} cannot be translated for Helm")
        self.file, self.line, self.node = file, line, node


@dataclass(frozen=True, slots=True)
class Terms:
    """What the names of the templates are in the chart.

    fields: by the name, such as ``storage_size`` or ``names.pod``, the Go operand. whole_numbers: the names of those
    that are numbers. lists: by the name of a list, the Go operand to range over. blocks: by the name of a list of
    names and values, the Go operand of a text with a line of YAML for each. functions: by the call, such as
    ``checksum("postgresql.conf")``, the Go operand.
    """

    fields: Mapping[str, str]
    lists: Mapping[str, str]
    blocks: Mapping[str, str]
    functions: Mapping[str, str]
    whole_numbers: frozenset[str] = field(default_factory=frozenset)


def translate(source: str, name: str, terms: Terms, kind: TemplateKind = "yaml") -> str:
    """The Go template that renders what the Jinja2 template renders.

    name: the file, for errors. Raises Untranslatable.
    """
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701 - not rendered
    environment.filters = dict.fromkeys(("block", "sha256", "bare", "comment"), str)
    return _Translation(name, terms, kind).text(environment.parse(source).body)


class _Translation:
    def __init__(self, name: str, terms: Terms, kind: TemplateKind) -> None:
        self._name, self._terms, self._kind = name, terms, kind
        self._loops: list[str] = []
        self._used_blocks: list[str] = []
        self._template = ""

    def text(self, body: list[nodes.Node]) -> str:
        self._body(body)
        blocks = dict.fromkeys(self._used_blocks)
        return "".join(f"{{{{- ${name} := {self._terms.blocks[name]} -}}}}\n" for name in blocks) + self._template

    def _refusal(self, node: nodes.Node) -> Untranslatable:
        return Untranslatable(self._name, node.lineno, type(node).__name__)

    # ---- statements ------------------------------------------------------------------------------------------------

    def _body(self, body: list[nodes.Node]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        self._output(part)
                case nodes.If(elif_=[]):
                    self._line(node, f"if {self._operand(node.test)}")
                    self._body(node.body)
                    if node.else_:
                        self._line(node, "else")
                        self._body(node.else_)
                    self._line(node, "end")
                case nodes.For(target=nodes.Name(name=loop), iter=nodes.Name(name=items), else_=[], test=None):
                    if items in self._terms.blocks:
                        self._line(node, f"nindent {self._indent_of_pairs(node, loop)} {self._block_of(items)}")
                        continue
                    if items not in self._terms.lists:
                        raise self._refusal(node)
                    self._line(node, f"range ${loop} := {self._terms.lists[items]}")
                    self._loops.append(loop)
                    self._body(node.body)
                    self._loops.pop()
                    self._line(node, "end")
                case _:
                    raise self._refusal(node)

    def _indent_of_pairs(self, node: nodes.For, loop: str) -> int:
        """By how much the lines of a loop are indented, of which each is ``name: value``."""
        match node.body:
            case [
                nodes.Output(nodes=[nodes.TemplateData(data=indent), name, nodes.TemplateData(data=": "), value, end])
            ]:
                places = (_dotted_name(name), _dotted_name(value))
                if (
                    not indent.strip(" ")
                    and places == (f"{loop}.name", f"{loop}.value")
                    and isinstance(end, nodes.TemplateData)
                    and end.data == "\n"
                ):
                    return len(indent)
        raise self._refusal(node)

    def _line(self, node: nodes.Node, action: str) -> None:
        """An action on a line of its own, of which nothing remains: it takes the line break before it along.

        It would take a blank line before it along as well, so that is refused.
        """
        if self._template and (not self._template.endswith("\n") or self._template.endswith("\n\n")):
            raise self._refusal(node)
        self._template += f"{{{{- {action} }}}}\n"

    def _output(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.TemplateData):
            self._template += _literal(node.data)
        else:
            self._template += f"{{{{ {self._place(node)} }}}}" if not _is_block(node) else self._block(node)

    # ---- expressions -----------------------------------------------------------------------------------------------

    def _place(self, node: nodes.Node) -> str:
        """An expression, as files of this kind quote a value."""
        match node:
            case nodes.Filter(name="bare" | "comment", node=inner) if inner is not None:
                return self._operand(inner)
        operand = self._operand(node)
        if self._kind == "pgbackrest.conf":
            return operand
        if self._kind == "postgresql.conf":
            return rf"""{operand} | replace "\\" "\\\\" | replace "'" "''" | squote"""
        return operand if operand.startswith("int64 ") else f"toJson {operand}"

    def _block(self, node: nodes.Node) -> str:
        match node:
            case nodes.Filter(node=nodes.Call() as call, args=[nodes.Const(value=int(indent))]):
                return f'|\n{{{{ {self._operand(call)} | trimSuffix "\\n" | indent {indent} }}}}'
        raise self._refusal(node)

    def _operand(self, node: nodes.Node) -> str:
        operand = self._field(node) if isinstance(node, nodes.Name | nodes.Getattr) else self._computation(node)
        if operand is None:
            raise self._refusal(node)
        return operand

    def _computation(self, node: nodes.Node) -> str | None:
        match node:
            case nodes.Const(value=str(text)):
                return json.dumps(text)
            case nodes.CondExpr(test=test, expr1=first, expr2=second) if second is not None:
                choices = f"{self._operand(first)} {self._operand(second)}"
                return f"(ternary {choices} (not (empty {self._operand(test)})))"
            case nodes.Filter(name="sha256", node=nodes.Call() as call):
                return f"({self._operand(call)} | b64dec | sha256sum)"
            case nodes.Call():
                return self._terms.functions.get(_call_text(node))
        return None

    def _field(self, node: nodes.Name | nodes.Getattr) -> str | None:
        name = _dotted_name(node)
        if name.partition(".")[0] in self._loops:
            return f"${name}"
        if name in self._terms.whole_numbers:
            return f"int64 {self._terms.fields[name]}"
        if name in self._terms.blocks:
            return self._block_of(name)
        return self._terms.fields.get(name) or self._terms.lists.get(name)

    def _block_of(self, name: str) -> str:
        """It is computed once a file, into a variable at its begin."""
        self._used_blocks.append(name)
        return f"${name}"


def _is_block(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name == "block"


def _dotted_name(node: nodes.Node) -> str:
    match node:
        case nodes.Name(name=name):
            return name
        case nodes.Getattr(node=inner, attr=attribute):
            return f"{_dotted_name(inner)}.{attribute}"
    return ""


def _call_text(node: nodes.Call) -> str:
    arguments = ", ".join(json.dumps(arg.value) for arg in node.args if isinstance(arg, nodes.Const))
    return f"{_dotted_name(node.node)}({arguments})"


def _literal(text: str) -> str:
    """Text in which braces mean nothing to Go."""
    return text.replace("{{", '{{ "{{" }}')
