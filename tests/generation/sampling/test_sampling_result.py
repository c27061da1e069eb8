"""What a sampling says of itself when it is done."""

from pathlib import Path

from generation.sampling.run import SamplingResult


def test_one_response_is_said_in_the_singular() -> None:
    result = SamplingResult(Path("r.jsonl"), 1, 2, written=1, n_tokens=1, n_cut=1, failures={"no luck": 1})
    said = str(result).splitlines()
    assert said[0] == "1 response (1 token) written to r.jsonl"
    assert said[1].startswith("1 response was cut off")
    assert said[2] == "1 sample failed: no luck"


def test_several_responses_are_said_in_the_plural() -> None:
    said = str(SamplingResult(Path("r.jsonl"), 1, 2, written=1200, n_tokens=3000, ungraded={"late": 2})).splitlines()
    assert said == ["1,200 responses (3,000 tokens) written to r.jsonl", "2 responses are not graded: late"]
