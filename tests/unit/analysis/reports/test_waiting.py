"""Policies of waiting: which arrivals they take, replays equal to real trials, and verdicts."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.reports.waiting.judging import Answer, answer, halves, num_choosing
from analysis.reports.waiting.policies import (
    EVERY,
    MOST_SETS,
    Arrivals,
    Every,
    FirstAlone,
    Growth,
    UntilNoBetter,
    largest_set,
    rules,
    sets_of_arrivals,
)
from analysis.reports.waiting.purity import obstacle
from analysis.reports.waiting.replay import Configuration, RecordedStream, losses, replay, served
from analysis.reports.waiting.report import WaitingReport
from analysis.reports.waiting.sentences import Waiting, how_it_is_known
from analysis.statistics.kept_service import kept_service
from study.example_errors import ExampleErrors
from study.training.anytime import AnytimeLearner
from tests.helpers.fake_study import FakeTrial, runs_of
from tests.helpers.small_trials import trained, trial

PURE: dict[str, Any] = {
    "training__start": "scratch",
    "training__mask": "restart",
    "training__epochs": None,
    "training__samples_per_model": 64,
    "stream__num_megabatches": 7,
    "stream__validation_fraction": 0.2,
    "pruning__criterion": "snip",
}


def arrivals(errors: list[float], size: int = 10) -> Arrivals:
    return Arrivals(tuple(size * (k + 1) for k in range(len(errors))), tuple(errors))


def test_a_policy_takes_its_arrivals() -> None:
    stream = arrivals([0.5] * 8)
    assert EVERY.trained_at(stream) == tuple(range(8))
    assert Every(3).trained_at(stream) == (0, 3, 6)
    assert FirstAlone().trained_at(stream) == (0,)
    assert Growth(2.0).trained_at(stream) == (0, 1, 3, 7)
    assert Growth(1.5).trained_at(stream) == (0, 1, 2, 4, 7)


def test_a_policy_stops_once_models_have_not_lowered_the_validation_error() -> None:
    stream = arrivals([0.5, 0.4, 0.4, 0.3, 0.3, 0.35, 0.1])
    assert UntilNoBetter(1).trained_at(stream) == (0, 1, 2)
    assert UntilNoBetter(2).trained_at(stream) == (0, 1, 2, 3, 4, 5)
    assert UntilNoBetter(3).trained_at(stream) == tuple(range(7))
    assert UntilNoBetter(1).trained_at(arrivals([math.nan] * 3)) == (0, 1, 2)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=10),
    st.integers(0, 9),
    st.floats(0, 1),
)
def test_what_comes_later_changes_no_arrival_before_it(
    errors: list[float], place: int, other: float
) -> None:
    changed = [other if k >= place else e for k, e in enumerate(errors)]
    for policy in rules(len(errors)):
        one, two = (policy.trained_at(arrivals(own)) for own in (errors, changed))
        assert [k for k in one if k <= place] == [k for k in two if k <= place]
        assert one[0] == 0
        assert list(one) == sorted(set(one))


@pytest.mark.parametrize("num_megabatches", [1, 2, 12, 16, 40, 5_001])
def test_sets_of_arrivals_are_all_of_them_or_the_small_ones(num_megabatches: int) -> None:
    tried = largest_set(num_megabatches)
    number = sum(1 for _ in sets_of_arrivals(num_megabatches))
    assert number == sum(math.comb(num_megabatches, n) for n in range(1, tried + 1))
    assert number <= MOST_SETS or tried == 1
    assert (tried == num_megabatches) == (2**num_megabatches - 1 <= MOST_SETS)


def recorded(made: AnytimeLearner) -> RecordedStream:
    """As the report reads it from a trial's record."""
    megabatches = made.history.megabatches

    def column(name: str) -> tuple[float, ...]:
        return tuple(m.metrics[name] for m in megabatches)

    def each(name: str) -> tuple[int, ...]:
        totals = [0.0, *column(name)]
        return tuple(int(b) - int(a) for a, b in itertools.pairwise(totals))

    outcomes = [ExampleErrors.from_text(m.example_errors["holdout"]) for m in megabatches]
    bits = [np.frombuffer(o.bits, dtype=np.uint8) for o in outcomes]
    names = ("holdout_error_rate", "test_error_rate", "validation_error_rate")
    errors = {name: column(name) for name in names}
    sizes = np.cumsum([len(m.train) + len(m.validation) for m in made.data.megabatches])
    return RecordedStream(
        key="",
        errors=errors,
        densities=column("density"),
        samples=each("samples_seen"),
        flops=each("train_flops"),
        arrivals=Arrivals(tuple(map(int, sizes)), errors["validation_error_rate"]),
        wrong=np.stack([np.unpackbits(b, count=len(made.data.holdout)) for b in bits]) > 0,
        chance=0.75,
        service_after=1.0,
    )


@pytest.fixture(scope="module")
def stream() -> RecordedStream:
    return recorded(trained(trial(**PURE)))


POLICIES = [Every(1), Every(3), Growth(2.0), UntilNoBetter(1), FirstAlone()]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.words)
def test_a_replayed_policy_is_the_trial_that_trains_then_bit_for_bit(
    policy: Every, stream: RecordedStream
) -> None:
    _assert_replayed(stream, policy.trained_at(stream.arrivals))


def test_so_is_one_that_begins_with_a_guess(stream: RecordedStream) -> None:
    _assert_replayed(stream, (2, 5))


def _assert_replayed(stream: RecordedStream, at: tuple[int, ...]) -> None:
    real = trained(trial(**PURE, training__at=at)).history.megabatches
    found = replay(stream, at)
    assert found.holdout_errors == tuple(m.metrics["holdout_error_rate"] for m in real)
    last = {**real[-1].metrics, **real[-1].summary}
    for name in ("service_error", "final_error", "test_service_error"):
        assert getattr(found, name) == last[name]
    assert found.samples_seen == last["samples_seen"]
    assert found.train_flops == last["train_flops"]
    assert found.final_density == last["final_density"]
    models = served(at, len(real))
    for model, record in zip(models, real, strict=True):
        if model is not None:
            bits = ExampleErrors.from_text(record.example_errors["holdout"]).bits
            own = np.packbits(stream.wrong[model]).tobytes()
            assert own == bits


def test_losses_by_example_are_the_service_error(stream: RecordedStream) -> None:
    everything = np.arange(stream.wrong.shape[1])
    for at in ((0, 3), (2, 5)):
        made = losses([stream, stream], [at, at], everything)
        assert made.service.shape == (2, len(everything))
        assert made.service.mean() == pytest.approx(replay(stream, at).service_error)
        assert made.final.mean() == pytest.approx(replay(stream, at).final_error)


NUM_EXAMPLES = 2000


def made_up(
    rates: list[float], *, seeds: int = 8, densities: list[float] | None = None, draw: int = 0
) -> Configuration:
    """Streams whose models err at these rates, examples of different difficulty."""
    generator = np.random.default_rng(draw)
    difficulty = generator.random(NUM_EXAMPLES)
    streams = []
    for _ in range(seeds):
        noisy = 0.9 * difficulty + 0.1 * generator.random((len(rates), NUM_EXAMPLES))
        wrong = noisy < np.array(rates)[:, None]
        own = tuple(float(rate) for rate in wrong.mean(axis=1))
        streams.append(
            RecordedStream(
                key="",
                errors={"holdout_error_rate": own, "test_error_rate": own},
                densities=tuple(densities or [1.0] * len(rates)),
                samples=(10,) * len(rates),
                flops=(100,) * len(rates),
                arrivals=arrivals(rates),
                wrong=wrong,
                chance=0.9,
                service_after=1.0,
            )
        )
    return Configuration(pd.DataFrame(), tuple(streams))


def asked(found: Configuration, budget: float = 1.0) -> Answer:
    return answer(found, margin=0.01, level=0.05, budget=budget)


def test_where_models_stop_getting_better_few_are_needed() -> None:
    made = asked(made_up([0.5, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2], seeds=12))
    assert made.best is not None
    assert made.best.judgement.verdict in ("as_good", "better")
    assert made.best.weighed.compute <= 3 / 8
    kept, interval = made.best.kept
    assert interval is not None
    assert interval.low < kept < interval.high
    assert 0.97 < kept < 1.03


def test_where_each_model_is_much_better_none_can_be_left_out() -> None:
    made = asked(made_up([0.75, 0.6, 0.45, 0.3, 0.15]))
    assert not made.candidates
    assert made.best is None


def test_no_policy_is_chosen_that_ends_with_a_larger_network() -> None:
    rates, densities = [0.2, 0.2, 0.2, 0.5], [0.8, 0.6, 0.4, 0.2]
    made = asked(made_up(rates, densities=densities))
    for one in (*made.candidates, *made.front):
        assert one.weighed.density == pytest.approx(0.2)
    assert any(one.weighed.density == pytest.approx(0.8) for one in made.rules)


def test_a_budget_leaves_out_what_costs_more() -> None:
    found = made_up([0.5, 0.3, 0.25, 0.22, 0.2, 0.2, 0.2, 0.2])
    for one in asked(found, budget=0.3).candidates:
        assert one.weighed.compute <= 0.3
    assert not asked(made_up([0.5, 0.2, 0.1, 0.05]), budget=0.3).candidates


def test_candidates_are_tested_from_the_dearest_to_the_cheapest() -> None:
    made = asked(made_up([0.5, 0.35, 0.25, 0.21, 0.205, 0.2, 0.2, 0.2]))
    costs = [one.weighed.compute for one in made.candidates]
    assert costs == sorted(costs, reverse=True)
    assert len(costs) <= 3
    if made.best is not None:
        before = made.candidates[: made.candidates.index(made.best) + 1]
        assert all(one.judgement.is_as_good for one in before)


@pytest.mark.parametrize(("num_examples", "is_replayed"), [(1, False), (3, False), (4, True)])
def test_a_holdout_too_small_to_be_halved_is_not_replayed_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, num_examples: int, is_replayed: bool
) -> None:
    runs = runs_of([FakeTrial(0, t=4)])
    pure = {name: value for name, value in PURE_PARAMS.items() if name != "method"}
    known = {**pure, "data.stream_size": 40, "data.num_classes": 10}
    runs = replace(runs, trials=runs.trials.assign(**known))
    wrong = np.zeros((4, num_examples), dtype=bool)
    monkeypatch.setattr("analysis.reports.waiting.replay.wrong_examples", lambda *_: wrong)
    section = WaitingReport().build(runs)
    said = "the holdout has fewer than 4 examples" in section.sentences[0]
    assert said is not is_replayed
    assert bool(section.tables) is is_replayed


def test_how_it_is_known_is_said_of_each_length_and_number_of_seeds() -> None:
    short, long = made_up([0.5, 0.3, 0.2, 0.2], seeds=1), made_up([0.5] + [0.3] * 7, seeds=12)
    parts = (long, short, made_up([0.4, 0.3, 0.2, 0.2], seeds=1))
    made = Waiting(
        parts, ("a", "b", "c"), tuple(asked(part) for part in parts), (), is_short=False
    )
    said = how_it_is_known(made)
    assert said.count("policies were replayed without training") == 2
    one, two = said.split("At T = ")[1:]
    assert one.startswith("4 with 1 seed: ")
    assert "Half of the holdout chose among them, the other half judges." in one
    assert two.startswith("8 with 12 seeds: ")
    assert "6 seeds and half of the holdout chose among them; the other 6 seeds" in two
    alone = how_it_is_known(Waiting(parts[:1], ("a",), made.answers[:1], (), is_short=False))
    assert "At T = " not in alone


def test_what_chooses_does_not_judge() -> None:
    choosing, judging = halves(1001)
    assert sorted([*choosing, *judging]) == list(range(1001))
    again = halves(1001)
    assert (again[0] == choosing).all()


def test_worse_policies_are_called_as_good_in_at_most_five_percent() -> None:
    """Every cheaper policy costs more than the margin: whichever is called as good is false."""
    # To leave out the second or third of four models costs 0.088 / (4 · 2), 1.1 points of service.
    rates = [0.464, 0.376, 0.288, 0.2]
    false = 0
    for draw in range(100):
        made = asked(made_up(rates, seeds=6, draw=draw))
        false += made.best is not None
    assert false <= 10


def test_nor_where_models_are_lucky_or_unlucky_under_their_seeds() -> None:
    """Every affordable policy ends a margin worse, and rates vary by two points between models."""
    num_megabatches, number = 8, 500
    false = 0
    for draw in range(120):
        generator = np.random.default_rng(draw)
        difficulty = generator.random(number)
        streams = []
        for base in made_up([0.3] * num_megabatches, seeds=8, draw=draw).streams:
            rates = 0.3 + generator.normal(0, 0.02, num_megabatches)
            rates[:-1] += 0.01
            noisy = 0.9 * difficulty + 0.1 * generator.random((num_megabatches, number))
            # Only the last model is good enough, and it is beyond the budget.
            flops = (*(1,) * (num_megabatches - 1), 100)
            streams.append(replace(base, wrong=noisy < rates[:, None], flops=flops))
        found = Configuration(pd.DataFrame(), tuple(streams))
        false += asked(found, budget=0.08).best is not None
    assert false <= 12


@pytest.mark.parametrize(("seeds", "choosing"), [(1, 0), (2, 1), (5, 2), (6, 1), (8, 3), (12, 6)])
def test_enough_seeds_are_left_to_judge_and_none_does_both(seeds: int, choosing: int) -> None:
    assert num_choosing(seeds) == choosing
    assert seeds <= 5 or seeds - choosing >= 5
    if seeds > 1:
        made = asked(made_up([0.5, 0.3, 0.2, 0.2], seeds=seeds))
        assert made.num_choosing == choosing
        assert len(made.every.replays) == seeds - choosing


def test_kept_service_is_a_ratio_with_its_interval() -> None:
    generator = np.random.default_rng(0)
    b = (generator.random((8, 1500)) < 0.2).astype(float)
    kept, interval = kept_service(b, b, chance_error=0.9)
    assert kept == pytest.approx(1.0)
    assert interval is not None
    a = np.clip(b + (generator.random(b.shape) < 0.1), 0, 1)
    kept, interval = kept_service(a, b, chance_error=0.9)
    assert interval is not None
    assert interval.low < kept < interval.high < 1
    assert kept == pytest.approx((0.9 - a.mean()) / (0.9 - b.mean()))
    nothing, no_interval = kept_service(b, np.ones_like(b), chance_error=0.9)
    assert math.isnan(nothing)
    assert no_interval is None


PURE_PARAMS: dict[str, object] = {
    "method": "app",
    "training.start": "scratch",
    "training.mask": "restart",
    "training.samples_per_model": 100,
    "training.total_samples": None,
    "training.total_flops": float("nan"),
    "training.at": "all",
    "stream.replay": "full",
    "saliency.source": "replayed",
    "data.arrivals": "[]",
}


def test_a_pure_trial_has_no_obstacle() -> None:
    assert obstacle(pd.Series(PURE_PARAMS)) == ""


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("training.start", "continue", "take scratch"),
        ("training.mask", "keep", "take restart"),
        ("training.total_samples", 5000, "samples_per_model"),
        ("training.total_flops", 1e12, "samples_per_model"),
        ("training.at", "[0, 3]", "take all"),
        ("stream.replay", "reservoir", "take full"),
        ("saliency.source", "newest", "take replayed"),
        ("pruning.driver", "plateau", "take examples"),
        ("data.arrivals", "['more']", "after the stream"),
    ],
)
def test_what_breaks_purity_is_named_with_the_reason(path: str, value: object, words: str) -> None:
    said = obstacle(pd.Series(PURE_PARAMS | {path: value}))
    assert said.startswith(f"{path} is ")
    assert words in said
    if path in ("saliency.source", "pruning.driver"):
        assert obstacle(pd.Series(PURE_PARAMS | {path: value, "method": "dense"})) == ""


def test_one_seed_is_a_verdict_on_one_network(stream: RecordedStream) -> None:
    made = answer(
        Configuration(pd.DataFrame(), (replace(stream),)), margin=0.01, level=0.05, budget=1.0
    )
    assert made.every.judgement.about == "network"
