"""Every criterion against an independent computation of its definition, mostly in fp64."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from study.errors import TrialError
from study.pruning.criteria import Magnitude, Random
from study.pruning.flow_criteria import Grasp, SynFlow
from study.pruning.gradient_criteria import Fisher, Snip, Taylor
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.scoring import ScoringContext
from tests.helpers.pruning_networks import IMAGE_SHAPE, build, context_of
from tests.helpers.pruning_scores import assert_same_scores, exact_context

ALL = ["mlp", "normalised", "depthwise_and_grouped", "tied", "attention"]


def loss_of_mask(context: ScoringContext, gates: dict[str, Tensor], batch: int) -> Tensor:
    """The loss as a function of an explicit multiplier c on each weight, at weights c ⊙ w."""
    weights = prunable_parameters(context.model)
    images, labels = list(context.minibatches())[batch]
    gated = {name: weights[name].detach() * gate for name, gate in gates.items()}
    buffers = {name: buffer.clone() for name, buffer in context.model.named_buffers()}
    return cross_entropy(functional_call(context.model, {**gated, **buffers}, (images,)), labels)


def mask_gradients(context: ScoringContext) -> list[dict[str, Tensor]]:
    """∂L/∂c at c = 1 of each mini-batch by autograd."""
    context.model.train()
    found = []
    for batch in range(3):
        gates = {
            name: torch.ones(mask.shape, dtype=torch.float64, requires_grad=True)
            for name, mask in context.mask.tensors.items()
        }
        loss_of_mask(context, gates, batch).backward()
        found.append({name: gate.grad for name, gate in gates.items()})
    return found


@pytest.mark.parametrize("name", ALL)
def test_snip_is_the_size_of_the_summed_gradient_on_an_explicit_mask(name: str) -> None:
    context = exact_context(name)
    by_batch = mask_gradients(context)
    expected = {n: sum(g[n] for g in by_batch).abs() for n in by_batch[0]}
    assert_same_scores(context, Snip().scores(context), expected)


@pytest.mark.parametrize("name", ALL)
def test_taylor_is_the_mean_size_of_the_gradients_on_an_explicit_mask(name: str) -> None:
    context = exact_context(name)
    by_batch = mask_gradients(context)
    expected = {n: sum(g[n].abs() for g in by_batch) / 3 for n in by_batch[0]}
    assert_same_scores(context, Taylor().scores(context), expected)


def test_snip_agrees_with_finite_differences_of_the_loss() -> None:
    context = exact_context("normalised")
    scores = Snip().scores(context)
    step = 1e-6
    for name, mask in context.mask.tensors.items():
        index = int(mask.flatten().nonzero()[0])
        change = 0.0
        for sign in (1, -1):
            gates = {n: torch.ones(m.shape).double() for n, m in context.mask.tensors.items()}
            gates[name].view(-1)[index] += sign * step
            with torch.no_grad():
                change += sign * sum(float(loss_of_mask(context, gates, b)) for b in range(3))
        assert float(scores[name].view(-1)[index]) == pytest.approx(
            abs(change) / (2 * step), rel=1e-5, abs=1e-8
        )


@pytest.mark.parametrize("name", ["mlp", "tied", "attention"])
def test_fisher_is_half_w_squared_times_the_mean_squared_gradient_of_single_examples(
    name: str,
) -> None:
    context = exact_context(name)
    assert_same_scores(context, Fisher().scores(context), fisher_by_hand(context, context.model))


def fisher_by_hand(context: ScoringContext, model: nn.Module) -> dict[str, Tensor]:
    weights = prunable_parameters(model)
    model.eval()
    squares = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for images, labels in context.minibatches():
        for image, label in zip(images, labels, strict=True):
            model.zero_grad()
            cross_entropy(model(image[None]), label[None]).backward()
            for name, weight in weights.items():
                squares[name] += weight.grad**2
    model.zero_grad()
    return {name: 0.5 * w.detach() ** 2 * squares[name] / 21 for name, w in weights.items()}


@pytest.mark.parametrize("name", ["normalised", "depthwise_and_grouped"])
def test_fisher_normalises_by_the_mean_statistics_of_the_saliency_minibatches(name: str) -> None:
    context = exact_context(name)
    model = exact_context(name).model  # its twin
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    model.train()
    with torch.no_grad():
        for images, _ in context.minibatches():
            model(images)
    assert_same_scores(context, Fisher().scores(context), fisher_by_hand(context, model))


def test_fisher_takes_the_examples_in_chunks_without_changing_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = exact_context("normalised")
    whole = Fisher().scores(context)
    monkeypatch.setattr("study.pruning.gradient_criteria._MAX_GRADIENT_NUMBERS", 3 * 700)
    assert_same_scores(context, Fisher().scores(context), whole)


def test_magnitude_is_the_absolute_weight() -> None:
    context = exact_context("attention")
    weights = prunable_parameters(context.model)
    scores = Magnitude().scores(context)
    assert "attention.in_proj_weight" in scores
    assert all(torch.equal(scores[n], w.detach().abs()) for n, w in weights.items())


def test_random_scores_come_from_the_contexts_generator_alone() -> None:
    model = build("mlp")
    first, again, other = (
        torch.cat([s.flatten() for s in Random().scores(context_of(model, seed=seed)).values()])
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.min()) >= 0
    assert float(first.max()) < 1
    assert float(first.mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("criterion", [Snip(), Taylor(), Fisher(), Grasp()])
def test_an_empty_saliency_set_is_said_to_be_empty(criterion: Snip) -> None:
    model = build("mlp")
    context = ScoringContext(
        model, Mask.dense(prunable_parameters(model)), list, IMAGE_SHAPE, 4, torch.Generator()
    )
    with pytest.raises(TrialError, match="saliency set is empty"):
        criterion.scores(context)


def test_a_weight_that_the_loss_does_not_see_has_score_zero() -> None:
    class WithUnused(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self[0](images)
            return logits

    model = WithUnused(OrderedDict(net=build("mlp"), unused=nn.Linear(2, 2)))
    scores = Snip().scores(context_of(model))
    assert float(scores["unused.weight"].abs().max()) == 0.0
    assert float(scores["net.1.weight"].abs().max()) > 0.0


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Snip(rounds=0), "rounds"),
        (lambda: SynFlow(rounds=0), "rounds"),
        (lambda: Grasp(temperature=0.0), "temperature"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    make: Callable[[], object], field: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be"):
        make()
