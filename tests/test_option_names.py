"""One style of option names: what several commands ask for has one name and takes the same kind of value."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest

from diversity_judge.agree import main as agree
from diversity_judge.compare import main as compare
from diversity_judge.plan import main as plan
from diversity_judge.reliability import main as reliability
from diversity_judge.score import main as score
from generation.grade import main as grade
from generation.reward import main as reward
from generation.router_update import main as router_update
from generation.routing import main as routing
from generation.sample import main as sample
from generation.sampling.arguments import parse_arguments

Main = Callable[[Sequence[str]], int]
COMMANDS: dict[str, tuple[Main, list[str]]] = {
    "score": (score, []),
    "compare": (compare, []),
    "agree": (agree, []),
    "reliability": (reliability, []),
    "plan": (plan, []),
    "sample": (sample, []),
    "grade": (grade, []),
    "reward": (reward, []),
    "router_update": (router_update, []),
    "routing probabilities": (routing, ["probabilities"]),
    "routing active-experts": (routing, ["active-experts"]),
}
OPTION = re.compile(r"^  (?:-\w, )?(--[\w-]+)(?: ([^\s\]]+))?", re.MULTILINE)
NOT_THE_SAME = {
    "--out": "a file of responses, or a folder of results",
    "--problems": "a file of problems, or how many there will be",
    "--strategy": "names of what was sampled, or how to sample",
    "--active-experts": "a number, or the numbers to study",
}


def options_of(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("COLUMNS", "200")
    main, study = COMMANDS[command]
    with pytest.raises(SystemExit):
        main([*study, "--help"])
    return dict(OPTION.findall(capsys.readouterr().out))


def test_an_option_of_several_commands_takes_the_same_kind_of_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for command in COMMANDS:
        for option, kind in options_of(command, capsys, monkeypatch).items():
            kinds[option].add(kind)
    assert {"--max-attempts", "--deadline", "--concurrency", "--max-tokens"} <= set(kinds)
    assert {option for option, found in kinds.items() if len(found) > 1} <= set(NOT_THE_SAME)


@pytest.mark.parametrize("command", ["score", "compare", "agree", "reliability", "grade"])
def test_an_unknown_option_is_refused_with_the_one_that_was_meant(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main, _ = COMMANDS[command]
    with pytest.raises(SystemExit) as ended:
        main(["x", "--outt"])
    assert ended.value.code == 2
    assert "did you mean '--out'?" in capsys.readouterr().err


def test_limits_on_what_is_sent_are_called_max(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("score", "sample"):
        options = options_of(command, capsys, monkeypatch)
        assert {"--max-attempts", "--max-tokens"} <= set(options)
        assert "--attempts" not in options


@pytest.mark.parametrize("name", ["--max-attempts", "--attempts"])
def test_the_earlier_name_does_the_same(name: str) -> None:
    asked = ["problems.jsonl", "--model", "m", "--base-url", "http://localhost:1/v1"]
    assert parse_arguments([*asked, name, "3"]).options().max_attempts == 3
    assert parse_arguments(asked).options().max_attempts == 6
