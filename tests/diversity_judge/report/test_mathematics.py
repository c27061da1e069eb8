"""Formulas in responses: found where they are meant, harmless whatever they hold, and TeX where they can't be read."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity_judge.report.mathematics import Formulas, Part, to_tree


def found(text: str) -> list[str]:
    """The formulas that a text is split into, with their delimiters."""
    formulas = Formulas()
    parts = formulas.parts(text)
    return [formulas.table[part][0] for part in parts if isinstance(part, int)]


def together(parts: list[Part], formulas: Formulas) -> str:
    return "".join(part if isinstance(part, str) else formulas.table[part][0] for part in parts)


def walk(tree: Any) -> Any:
    """All elements of a tree with their attributes."""
    name, attributes, *children = tree
    yield name, attributes or {}
    for child in children:
        if not isinstance(child, str):
            yield from walk(child)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"so \(x^2\) is", [r"\(x^2\)"]),
        (r"\[a\] and \[b\]", [r"\[a\]", r"\[b\]"]),
        ("$x$ and $$y$$", ["$x$", "$$y$$"]),
        (r"\begin{align*}a&=b\end{align*}", [r"\begin{align*}a&=b\end{align*}"]),
        ("it costs $5 and $6", []),
        ("from $5 to $6.", []),
        (r"a \$5 note and \$6", []),
        (r"first \( open, then \(x\)", [r"\(x\)"]),
        (r"\(x" + "\n\n" + r"y\)", []),
        (r"a line break \\[2pt] here \]", []),
        ("$" + "x" * 3000 + "$", []),
    ],
)
def test_formulas_are_found_where_they_are_meant(text: str, wanted: list[str]) -> None:
    assert found(text) == wanted


@given(
    st.lists(st.sampled_from([r"\(", r"\)", r"\[", r"\]", "$", "$$", "x", "^2", "\n", " ", r"\frac{1}{2}", "{", "é"]))
)
def test_no_character_is_lost(pieces: list[str]) -> None:
    text, formulas = "".join(pieces), Formulas()
    assert together(formulas.parts(text), formulas) == text


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\text{<script>alert(1)</script>}",
        r"\style{position:fixed}{x}",
        r"\class{big}{x}",
        r"\color{red}x",
        r"\hspace{99999em}x",
        r"\rule{999em}{999em}",
        r"\unicode{x3c}script\unicode{x3e}",
        r"x & y",
    ],
)
def test_a_formula_holds_only_harmless_elements_and_attributes(tex: str) -> None:
    harmless = {"displaystyle", "scriptlevel", "stretchy", "fence", "form", "columnalign", "mathvariant", "display"}
    for name, attributes in walk(to_tree(tex, is_block=False)):
        assert name == "math" or name.startswith("m")
        assert name not in ("maction", "malignmark", "annotation-xml", "semantics")
        assert set(attributes) <= harmless, attributes


@pytest.mark.parametrize("tex", [r"\frac{", "^", "_", "{" * 500, r"\left(" * 100, "x" * 5000, "", "  "])
def test_what_cannot_be_read_stays_tex(tex: str) -> None:
    assert to_tree(tex, is_block=False) is None


def test_a_tree_is_the_mathml_of_the_converter() -> None:
    from latex2mathml.converter import convert

    def built(tree: Any) -> ElementTree.Element:
        name, attributes, *children = tree
        element = ElementTree.Element(name, attributes or {})
        for child in children:
            if isinstance(child, str):
                element.text = child
            else:
                element.append(built(child))
        return element

    tex = r"\frac{a_1}{\sqrt{2}} \leq \left(x^{2}\right)"
    theirs = ElementTree.fromstring(convert(tex))
    for element in theirs.iter():
        element.tag = element.tag.rpartition("}")[2]
    mine = built(to_tree(tex, is_block=False))
    assert [(e.tag, e.text) for e in mine.iter()] == [(e.tag, e.text) for e in theirs.iter()]


def test_one_formula_is_converted_once_for_a_whole_page() -> None:
    trees: dict[str, Any] = {}
    first, second = Formulas(trees), Formulas(trees)
    first.parts("$x$ $x$ $y$")
    second.parts("$y$")
    assert [source for source, _ in first.table] == ["$x$", "$y$"]
    assert second.table[0][1] is first.table[1][1]
    assert json.dumps(first.table)
