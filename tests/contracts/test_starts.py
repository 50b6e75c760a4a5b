"""What every start of a megabatch must do, those of users included."""

import dataclasses
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from study.pruning.granularity.granularity import GRANULARITIES
from study.training.starts import STARTS, FirstModel, Start, StartContext
from tests.helpers.small_trials import trained, trial

COARSE, FINE = 0.6, 0.3


@pytest.fixture(params=list(STARTS))
def start(request: pytest.FixtureRequest) -> Start:
    return STARTS.get(request.param)()


@pytest.fixture(params=list(GRANULARITIES))
def context(request: pytest.FixtureRequest) -> StartContext:
    """The network in service, and the one after the first megabatch, pruned by magnitude."""
    granularity = request.param
    made = [
        trained(
            trial(
                model__architecture="convnet",
                model__hidden_sizes=None,
                model__width=8,
                stream__num_megabatches=1,
                pruning__granularity=granularity,
                pruning__final_density=density,
                seed=seed,
            )
        )
        for density, seed in ((COARSE, 0), (FINE, 0))
    ]
    earlier, later = made
    then = FirstModel(earlier.model.state_dict(), dict(earlier.mask.tensors))
    return StartContext(
        later.model,
        later.mask,
        later.network.pruner,
        fresh_model=lambda: later.network.fresh("start", 1),
        first=then,
    )


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[n], other[n]) for n in one)


def test_a_start_is_frozen_documented_and_survives_pickling(start: Start) -> None:
    assert type(start).__doc__
    assert pickle.loads(pickle.dumps(start)) == start
    for field in dataclasses.fields(start):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(start, field.name, 1)


def test_what_is_trained_is_under_the_mask_of_the_event(
    start: Start, context: StartContext
) -> None:
    network = start.after_event(context)
    context.pruner.check_network(network, context.mask)
    names = [(name, tensor.shape) for name, tensor in network.state_dict().items()]
    assert names == [(n, t.shape) for n, t in context.model.state_dict().items()]


def test_what_is_pruned_is_under_the_mask_that_it_is_said_to_be_under(
    start: Start, context: StartContext
) -> None:
    network, mask = start.before_event(context)
    context.pruner.check_network(network, mask)
    assert mask == (context.pruner.dense if start.restarts_mask else context.mask)


def test_a_start_leaves_the_network_in_service_and_the_first_one_alone(
    start: Start, context: StartContext
) -> None:
    assert context.first is not None
    before = state(context.model), {n: t.clone() for n, t in context.first.model.items()}
    start.before_event(context)
    network = start.after_event(context)
    if network is not context.model:
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor.zero_()
    assert same(before[0], state(context.model))
    assert same(before[1], dict(context.first.model))


def test_a_start_draws_the_same_again(start: Start, context: StartContext) -> None:
    once, again = start.after_event(context), start.after_event(context)
    assert same(state(once), state(again))


def test_only_those_that_ask_for_the_first_network_need_it(
    start: Start, context: StartContext
) -> None:
    if not start.goes_back:
        start.after_event(replace(context, first=None))


def test_a_stream_of_one_megabatch_knows_no_start() -> None:
    usual = trained(trial(stream__num_megabatches=1))
    for name in STARTS:
        made = trained(trial(stream__num_megabatches=1, training__start=name))
        assert same(state(made.model), state(usual.model))
        assert made.mask == usual.mask
