"""What the judge is shown, which pairs need no call, and what changes a judgment's key."""

from __future__ import annotations

import pytest

from diversity_judge.errors import InputError
from diversity_judge.inputs.views import estimate_tokens, truncate, view_of
from diversity_judge.planning.groups import Showing, check_context, plan_groups, too_many_pairs
from diversity_judge.planning.pairs import Pair, PairDesign
from tests.diversity_judge.helpers import group, plan

THOUGHT = "<think>\nfirst\n</think>\nsecond"


@pytest.mark.parametrize(
    ("text", "view", "shown"),
    [
        (THOUGHT, "full", THOUGHT),
        (THOUGHT, "thinking", "first"),
        (THOUGHT, "final", "second"),
        ("first</think>second", "thinking", "first"),
        ("first</think>second", "final", "second"),
        ("<think>never ends", "thinking", "never ends"),
        ("\ufeff<think>first</think>second", "thinking", "first"),
        ("<think>never ends", "final", ""),
        ("no thinking", "final", "no thinking"),
        ("no thinking", "thinking", None),
    ],
)
def test_a_view_shows_its_part(text: str, view: str, shown: str | None) -> None:
    assert view_of(text, view) == shown  # type: ignore[arg-type]


def test_a_response_with_nothing_to_show_is_named() -> None:
    with pytest.raises(InputError, match=r"--view final: 1 response.*p / s / sample 1"):
        plan_groups([group([THOUGHT, "<think>never ends"])], PairDesign(), Showing(view="final"))


def test_truncation_keeps_head_and_tail_and_says_what_it_cut() -> None:
    text = "a" * 3000 + "b" * 3000
    shown = truncate(text, 500)
    assert shown.text.startswith("a" * 750)
    assert shown.text.endswith("b" * 750)
    assert shown.tokens_cut == 1500
    assert "1500 tokens cut" in shown.text
    assert truncate("short", 500).text == "short"
    assert truncate("short", 500).tokens_cut == 0


def test_tokens_are_estimated_on_the_safe_side() -> None:
    # Three ASCII characters a token, and one for any other character.
    assert estimate_tokens("abc" * 10) == 10
    assert estimate_tokens("漢字") == 2


def test_identical_texts_need_no_call_unless_asked_for() -> None:
    plain, judged = plan(["x", "x", "y"]), plan(["x", "x", "y"], showing=Showing(judge_duplicates=True))
    assert [task.pair for task in plain.tasks("f")] == [Pair(1, 2), Pair(2, 0)]
    assert len(list(judged.tasks("f"))) == 3


def test_editing_one_response_changes_only_the_keys_of_its_pairs() -> None:
    before, after = ({t.pair: t.key for t in plan(["a", "b", third]).tasks("f")} for third in ("c", "d"))
    changed = {pair for pair in before if before[pair] != after[pair]}
    assert changed == {Pair(1, 2), Pair(2, 0)}


def test_order_draw_and_fingerprint_change_the_key() -> None:
    a_plan = plan(["a", "b"])
    keys = {a_plan.key(pair, f) for pair in (Pair(0, 1), Pair(1, 0), Pair(0, 1, 1)) for f in ("f", "g")}
    assert len(keys) == 6


def test_groups_get_names_that_no_file_system_confuses() -> None:
    groups = [group(["a", "b"], "../../etc/passwd"), group(["a", "b"], "P"), group(["a", "b"], "p")]
    names = [a_plan.name for a_plan in plan_groups(groups, PairDesign(), Showing())]
    assert len({name.lower() for name in names}) == 3
    assert not any("/" in name or name.startswith(".") for name in names)


def test_responses_that_do_not_fit_the_context_are_named() -> None:
    a_plan = plan(["a" * 3000, "b" * 30])
    check_context([a_plan], overhead_tokens=100, output_tokens=100, context_tokens=1300)
    check_context([a_plan], overhead_tokens=100, output_tokens=100, context_tokens=None)
    with pytest.raises(InputError, match=r"sample 0 \(about 1,000 tokens\).*--truncate-tokens 400"):
        check_context([a_plan], overhead_tokens=100, output_tokens=100, context_tokens=1000)


def test_what_a_group_costs_is_counted_by_row_as_one_would_pair_by_pair() -> None:
    texts = ["a" * 30, "b" * 60, "a" * 30, "c" * 3000, "b" * 60, "a" * 30]
    for design in (PairDesign(), PairDesign("both", draws=2), PairDesign(pairs_per_group=7)):
        a_plan = plan(texts, design)
        asked = [task.pair for task in a_plan.tasks("f")]
        needed = a_plan.needs_call()
        assert [pair for pair, is_needed in zip(a_plan.pairs, needed, strict=True) if is_needed] == asked
        tokens = [10, 20, 10, 1000, 20, 10]  # three ASCII characters a token
        assert a_plan.pair_tokens(needed) == sum(tokens[pair.first] + tokens[pair.second] for pair in asked)


def test_a_group_of_very_many_pairs_is_to_be_thinned_or_confirmed() -> None:
    usual, large = plan([str(i) for i in range(200)]), plan([str(i) for i in range(201)])
    assert too_many_pairs([usual], PairDesign()) is None
    assert too_many_pairs([usual, large], PairDesign(pairs_per_group=50_000)) is None
    said = too_many_pairs([usual, large], PairDesign())
    assert said is not None
    for part in ("1 group(s)", "20,100 of 201 responses", "p / s", "--pairs-per-group 20000", "--all-pairs"):
        assert part in said
