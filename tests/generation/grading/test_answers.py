import random
import re

import pytest

from generation.grading.answers import extract_answer, last_boxed, tidy_math, visible_answer
from generation.problems import ProblemKind

MATH, CHOICE, CODE = ProblemKind.MATH, ProblemKind.CHOICE, ProblemKind.CODE


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{42}.", "42"),
        (r"first \boxed{1}, then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed {7}", "7"),
        (r"\boxed{1} and the torn \boxed{2", "1"),
        (r"\fbox{5}", "5"),
        ("The final answer is $\\frac12$.", r"\frac12"),
        ("**Answer:** 17", "17"),
        ("no answer here", None),
        (r"\boxed{}", None),
        ("", None),
        (r"<think>\boxed{1}</think> It is \boxed{2}", "2"),
        (r"\boxed{1}</think> It is \boxed{2}", "2"),
        (r"<think> perhaps \boxed{1}", None),
        (r"<think>\boxed{1}</think> I give up", None),
        (r"<think>a</think><think>maybe \boxed{1}", None),
        (r"Okay. <think>maybe \boxed{1}", None),
        ("\ufeff<think>maybe \\boxed{1}", None),
    ],
)
def test_the_last_box_of_the_visible_answer_counts(text: str, answer: str | None) -> None:
    assert extract_answer(text, MATH) == answer


@pytest.mark.parametrize(
    ("answer", "tidy"),
    [
        ("042", "42"),
        ("000", "0"),
        ("1,234,567", "1234567"),
        (r"1{,}234", "1234"),
        (r"10\,000", "10000"),
        ("1,2", "1,2"),
        ("(1, 2)", "(1, 2)"),
        ("$5$", "5"),
        (r"\(x+1\)", "x+1"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\left(1, 2\right)", "(1, 2)"),
        (r"\leftarrow", r"\leftarrow"),
        ("  3 .", "3"),
        ("0.50", "0.50"),
    ],
)
def test_typesetting_is_tidied_and_nothing_is_computed(answer: str, tidy: str) -> None:
    assert tidy_math(answer) == tidy


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{B}", "B"),
        (r"\boxed{\text{B}}", "B"),
        (r"\boxed{\textbf{B}}", "B"),
        (r"\boxed{(b)}", "B"),
        (r"\boxed{B) the second}", "B"),
        (r"\boxed{Because}", None),
        (r"\boxed{E}", None),
        ("Answer: C", "C"),
        ("The correct answer is (D).", "D"),
        ("The answer is **A**", "A"),
        ("I would choose option B over option C. The answer is D", "D"),
        ("Thinking it through.\n\nC.", "C"),
        ("An apple a day", None),
        ("A", "A"),
        ("", None),
        ("<think>Answer: A</think>", None),
    ],
)
def test_letters(text: str, letter: str | None) -> None:
    assert extract_answer(text, CHOICE, n_choices=4) == letter


def test_the_last_python_block_is_the_program() -> None:
    text = (
        "Try:\n```python\nold\n```\nBetter:\n```python\nfor x in y:\n    f(x)\n```\nRun it:\n```bash\npython a.py\n```"
    )
    assert extract_answer(text, CODE) == "for x in y:\n    f(x)"


def test_code_without_a_language_counts_where_there_is_no_other() -> None:
    assert extract_answer("```\nprint(1)\n```", CODE) == "print(1)"
    assert extract_answer("print(1)", CODE) is None
    assert extract_answer("```python\nprint(1)", CODE) is None
    assert extract_answer("<think>\n```python\n1\n```\n</think>", CODE) is None


def test_nested_and_escaped_braces() -> None:
    assert last_boxed(r"\boxed{a{b{c}}d}") == "a{b{c}}d"
    assert last_boxed(r"\boxed{\{}") == r"\{"


def test_unclosed_reasoning_hides_everything() -> None:
    assert visible_answer("<think>a</think>b</think>c") == "c"
    assert visible_answer("  <think>a") == ""
    assert visible_answer("a") == "a"


def _boxed_by_counting(text: str) -> str | None:
    """`last_boxed` by its definition: from each box, the last one first, until its braces are balanced."""
    for match in reversed(list(re.finditer(r"\\(?:boxed|fbox)\s*\{", text))):
        depth = 1
        for place in range(match.end(), len(text)):
            if text[place - 1] != "\\":
                depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return text[match.end() : place]
    return None


@pytest.mark.parametrize("seed", range(20))
def test_one_pass_over_the_braces_finds_what_counting_from_each_box_finds(seed: int) -> None:
    generator = random.Random(seed)
    pieces = ["\\boxed{", "\\fbox {", "{", "}", "}", "\\{", "\\}", "\\", "x", " "]
    for _ in range(500):
        text = "".join(generator.choices(pieces, k=generator.randrange(16)))
        assert last_boxed(text) == _boxed_by_counting(text), text


PLAIN_LETTER = re.compile(
    r"(?:answer|option|choice)\s*(?:is|:|=)?\s*:?\s*[\s*_(\[$]*([A-Z])(?![A-Za-z])", re.IGNORECASE
)
PLAIN_STATEMENT = re.compile(r"(?:final\s+)?answer\s*(?:is|:|=)\s*:?\s*(.+)", re.IGNORECASE)
PLAIN_FENCES = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("seed", range(20))
def test_the_linear_patterns_find_what_the_plain_ones_find(seed: int) -> None:
    """The plain ones are easier to read, and take hours for some texts."""
    generator = random.Random(seed)
    pieces = ["answer", "option", "final", " is", "is", ":", "=", " ", "\n", "*", "(", "$", "a", "B", "C ", "x", "\t"]
    for _ in range(500):
        text = "".join(generator.choices(pieces, k=generator.randrange(12)))
        text += "\nno"  # so that a last line of one letter does not answer
        letters = [letter.upper() for letter in PLAIN_LETTER.findall(text)]
        assert extract_answer(text, CHOICE) == (letters[-1] if letters else None), text
        statements = PLAIN_STATEMENT.findall(text)
        assert extract_answer(text, MATH) == ((tidy_math(statements[-1]) or None) if statements else None), text


@pytest.mark.parametrize("seed", range(20))
def test_fences_are_paired_as_the_plain_pattern_pairs_them(seed: int) -> None:
    generator = random.Random(seed)
    pieces = ["```", "```\n", "```python\n", "``` py x\n", " ", "\t", "x\n", "y", "\n", "```c++\n"]
    for _ in range(500):
        text = "".join(generator.choices(pieces, k=generator.randrange(12)))
        blocks = [(language.lower(), code) for language, code in PLAIN_FENCES.findall(text)]
        chosen = [code for language, code in blocks if language in ("python", "python3", "py")]
        chosen = chosen or [code for _, code in blocks]
        expected = chosen[-1].strip("\n") if chosen and chosen[-1].strip() else None
        assert extract_answer(text, CODE) == expected, text
