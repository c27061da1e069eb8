"""EDT against the formula in float64, and its bookkeeping against a plain dictionary."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from generation.edt_settings import EDTSettings, check_request

torch = pytest.importorskip("torch")
pytest.importorskip("vllm")

from vllm import SamplingParams  # noqa: E402
from vllm.v1.sample.logits_processor.interface import BatchUpdate, MoveDirectionality  # noqa: E402
from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsProcessor as V2Interface  # noqa: E402

from generation.edt import MIN_TEMPERATURE, EDTLogitsProcessor, edt_temperature  # noqa: E402

CPU = torch.device("cpu")
CONFIG = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=8))


def params(temperature: float = 1.0, **extra: Any) -> SamplingParams:
    return SamplingParams(temperature=temperature, extra_args=extra or None)


def reference_temperature(logits: np.ndarray, settings: EDTSettings) -> float:
    """T = T0 * N ** (theta / H), equation (2) of the paper, one row in float64."""
    shifted = logits.astype(np.float64) - logits.max()
    p = np.exp(shifted) / np.exp(shifted).sum()
    entropy = -sum(x * math.log(x) for x in p if x > 0)
    return float(settings.t0 * settings.n ** (settings.theta / entropy))


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("settings", [EDTSettings(), EDTSettings(1.2, 0.5, 0.6), EDTSettings(0.5, 0.0, 0.8)])
def test_the_temperature_is_the_papers_on_random_logits(scale: float, settings: EDTSettings) -> None:
    generator = np.random.default_rng(0)
    logits = (generator.normal(size=(64, 1000)) * scale).astype(np.float32)
    logits[:, generator.permutation(1000)[:300]] = -np.inf
    column = torch.ones(64, 1)
    got = edt_temperature(torch.tensor(logits), column * settings.t0, column * settings.theta, column * settings.n)
    expected = [max(MIN_TEMPERATURE, reference_temperature(row, settings)) for row in logits]
    # At H = 0.008 the exponent multiplies float32's error of H by 2.6.
    np.testing.assert_allclose(got[:, 0].double().numpy(), expected, rtol=1e-4)


def test_a_uniform_distribution_has_the_closed_form() -> None:
    one = torch.ones(1, 1)
    got = edt_temperature(torch.zeros(1, 32), 0.7 * one, 0.1 * one, 0.8 * one)
    assert float(got) == pytest.approx(0.7 * 0.8 ** (0.1 / math.log(32)), rel=1e-6)


@pytest.mark.parametrize("logits", [[0.0, -math.inf, -math.inf], [500.0, 0.0, 0.0], [3e34, -3e34, 0.0]])
def test_zero_entropy_stays_finite_and_keeps_the_only_token(logits: list[float]) -> None:
    processor = v1({0: {"edt": 1}})
    scaled = processor.apply(torch.tensor([logits]))
    probabilities = scaled.softmax(-1)
    assert not torch.isnan(probabilities).any()
    assert probabilities[0, 0] == 1.0


def test_higher_entropy_gives_a_higher_temperature_up_to_t0() -> None:
    one = torch.ones(3, 1)
    logits = torch.tensor([[9.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    low, middle, high = edt_temperature(logits, 0.7 * one, 0.1 * one, 0.8 * one)[:, 0].tolist()
    assert low < middle < high < 0.7


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"edt": 2}, "edt must be 0 or 1"),
        ({"edt": 1, "edt_t0": 0}, "edt_t0 must be > 0"),
        ({"edt": 1, "edt_theta": -0.1}, "edt_theta must be >= 0"),
        ({"edt": 1, "edt_n": 1.5}, r"edt_n must be in \(0, 1\]"),
        ({"edt": 1, "edt_n": "0.8"}, "edt_n must be a finite number"),
        ({"edt": 1, "edt_t0": math.nan}, "edt_t0 must be a finite number"),
        ({"edt": 1, "edt_probe": 1}, "unknown setting 'edt_probe'; EDT has"),
        ({"edt_t0": 1.0}, "edt_t0 is set, but edt is not 1"),
        ({"edt": 0, "edt_t0": 1.0}, "edt_t0 is set, but edt is not 1"),
    ],
)
def test_bad_settings_are_refused_at_admission(extra: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EDTLogitsProcessor.validate_params(params(**extra))


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_temperature_of_the_requests_own_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="send temperature 1"):
        EDTLogitsProcessor.validate_params(params(temperature, edt=1))
    EDTLogitsProcessor.validate_params(params(temperature, edt=0))
    EDTLogitsProcessor.validate_params(params(temperature))


def test_other_peoples_settings_are_not_looked_at() -> None:
    assert check_request({"expert_sample": 1, "edited": 3}, 0.7) is None
    assert check_request(None, 0.7) is None


def update(
    size: int = 8, removed: Any = (), added: dict[int, dict[str, Any]] | None = None, moved: Any = ()
) -> BatchUpdate:
    rows: Any = [(row, params(**extra), None, []) for row, extra in (added or {}).items()]
    return BatchUpdate(batch_size=size, removed=list(removed), added=rows, moved=list(moved))


def v1(rows: dict[int, dict[str, Any]]) -> EDTLogitsProcessor:
    processor = EDTLogitsProcessor(CONFIG, CPU, False)
    processor.update_state(update(added=rows))
    return processor


def row_temperatures(processor: EDTLogitsProcessor, n: int) -> list[float | None]:
    """By which each row of a batch is divided; None where its bits stay."""
    logits = torch.randn(n, 50, generator=torch.Generator().manual_seed(1))
    scaled = processor.apply(logits.clone())
    ratios = (logits / scaled).mean(-1).tolist()
    return [None if torch.equal(logits[i], scaled[i]) else round(ratios[i] / expected(logits[i]), 4) for i in range(n)]


def expected(logits: Any) -> float:
    """The temperature at t0 = 1 and the other defaults, so that a row's ratio to it is its t0."""
    return reference_temperature(logits.numpy(), EDTSettings(t0=1.0))


def test_rows_without_edt_keep_their_bits() -> None:
    processor = v1({0: {}, 1: {"edt": 1, "edt_t0": 0.5}, 2: {"edt": 0}, 3: {"edt": 1, "edt_t0": 1.5}})
    assert row_temperatures(processor, 4) == [None, 0.5, None, 1.5]
    assert not processor.is_argmax_invariant()


def test_a_batch_without_edt_is_returned_as_it_is() -> None:
    logits = torch.randn(2, 5)
    assert v1({0: {}, 1: {}}).apply(logits) is logits


def test_v1_rows_follow_the_batch_through_random_changes() -> None:
    """A plain dictionary goes through the same removals, additions and moves."""
    generator = random.Random(0)
    processor = EDTLogitsProcessor(CONFIG, CPU, False)
    model: dict[int, float | None] = {}
    for _ in range(300):
        removed = [row for row in list(model) if generator.random() < 0.2]
        for row in removed:
            del model[row]
        free = [row for row in range(8) if row not in model]
        added: dict[int, dict[str, Any]] = {}
        for row in generator.sample(free, generator.randrange(len(free) + 1)):
            t0 = generator.choice([None, 0.5, 0.9, 1.5])
            added[row] = {} if t0 is None else {"edt": 1, "edt_t0": t0}
            model[row] = t0
        moved = []
        if len(model) >= 2 and generator.random() < 0.5:
            one, other = generator.sample(sorted(model), 2)
            moved.append((one, other, MoveDirectionality.SWAP))
            model[one], model[other] = model[other], model[one]
        gaps = [row for row in range(8) if row not in model]
        if model and gaps:
            source = max(model)
            moved.append((source, gaps[0], MoveDirectionality.UNIDIRECTIONAL))
            model[gaps[0]] = model.pop(source)
        processor.update_state(update(removed=removed, added=added, moved=moved))
        assert row_temperatures(processor, 8) == [model.get(row) for row in range(8)]


def v2() -> EDTLogitsProcessor:
    return EDTLogitsProcessor(CONFIG, SimpleNamespace(max_num_reqs=8, device=CPU))


def context(rows: list[int]) -> Any:
    """Rows of the batch by the slot that each belongs to."""
    slots = torch.tensor(rows, dtype=torch.int32)
    return SimpleNamespace(expanded_idx_mapping=slots, idx_mapping_np=np.unique(rows))


def test_the_class_is_one_that_the_v2_runner_takes() -> None:
    assert issubclass(EDTLogitsProcessor, V2Interface)


def test_v2_rows_are_found_by_their_slot() -> None:
    processor = v2()
    assert processor.add_request(5, params(edt=1, edt_t0=0.5)) is True
    assert processor.add_request(2, params()) is False
    processor.apply_staged_writes()
    logits = torch.randn(3, 50)
    scaled = processor.apply(logits.clone(), context([2, 5, 5]))  # two rows of slot 5: a draft token
    assert torch.equal(scaled[0], logits[0])
    for row in (1, 2):
        torch.testing.assert_close(scaled[row] * (0.5 * expected(logits[row])), logits[row])


def test_a_slot_that_is_used_again_forgets_its_former_request() -> None:
    processor = v2()
    processor.add_request(3, params(edt=1))
    processor.add_request(3, params())
    processor.apply_staged_writes()
    logits = torch.randn(1, 50)
    assert processor.apply(logits, context([3])) is logits


def test_vllm_finds_the_class_under_its_entry_point() -> None:
    from importlib.metadata import entry_points

    found = [entry for entry in entry_points(group="vllm.logits_processors") if entry.name == "edt"]
    if not found:
        pytest.skip("the project is not installed, so it has no entry points")
    assert found[0].load() is EDTLogitsProcessor
