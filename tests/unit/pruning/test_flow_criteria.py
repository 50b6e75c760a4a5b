"""GraSP and SynFlow against independent computations of their definitions, in fp64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev
from torch.nn.functional import cross_entropy

from study.pruning.flow_criteria import Grasp, SynFlow
from study.pruning.gradients import class_balanced
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.scoring import ScoringContext
from tests.helpers.pruning_networks import IMAGE_SHAPE, context_of
from tests.helpers.pruning_scores import assert_same_scores, exact_context


def balanced_by_hand(context: ScoringContext) -> list[tuple[Tensor, Tensor]]:
    """The class-balanced sample, picked one example at a time."""
    examples = [
        (image, int(label))
        for images, labels in context.minibatches()
        for image, label in zip(images, labels, strict=True)
    ]
    sizes = [sum(label == c for _, label in examples) for c in range(4)]
    wanted = min(size for size in sizes if size)
    taken = [0] * 4
    picked = []
    for image, label in examples:
        if taken[label] < wanted:
            taken[label] += 1
            picked.append((image, torch.tensor(label)))
    images = torch.stack([image for image, _ in picked])
    labels = torch.stack([label for _, label in picked])
    assert len(labels) % 8 >= 2 or len(labels) == 8, "the cut below would leave a single example"
    return list(zip(images.split(8), labels.split(8), strict=True))


def flat_tempered_loss(
    context: ScoringContext, temperature: float
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Σ_b L_b as a function of all prunable weights in one vector, and that vector."""
    weights = prunable_parameters(context.model)
    batches = balanced_by_hand(context)

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([weight.numel() for weight in weights.values()])
        shaped = {n: p.view(weights[n].shape) for n, p in zip(weights, parts, strict=True)}
        total = torch.zeros((), dtype=torch.float64)
        for images, labels in batches:
            buffers = {n: b.clone() for n, b in context.model.named_buffers()}
            logits = functional_call(context.model, {**shaped, **buffers}, (images,))
            total = total + cross_entropy(logits / temperature, labels)
        return total

    return loss, torch.cat([weight.detach().flatten() for weight in weights.values()])


@pytest.mark.parametrize("name", ["mlp", "normalised"])
@pytest.mark.parametrize("temperature", [200.0, 1.0])
def test_grasp_is_the_weight_times_the_explicit_hessian_times_the_gradient(
    name: str, temperature: float
) -> None:
    context = exact_context(name)
    context.model.train()
    loss, weights = flat_tempered_loss(context, temperature)
    survives = torch.cat([mask.flatten() for mask in context.mask.tensors.values()])
    gradient = grad(loss)(weights) * survives
    flat = (weights * (jacrev(grad(loss))(weights) @ gradient)).detach()
    actual = Grasp(temperature=temperature).scores(context)
    parts = flat.split([mask.numel() for mask in context.mask.tensors.values()])
    expected = {n: p.view(actual[n].shape) for n, p in zip(actual, parts, strict=True)}
    for score in expected.values():  # relative to their size: at temperature 200 all are tiny
        assert float(score.abs().max()) > 0
    scale = 1.0 / float(flat.abs().max())
    assert_same_scores(
        context,
        {n: s * scale for n, s in actual.items()},
        {n: s * scale for n, s in expected.items()},
    )


def test_grasp_agrees_with_a_finite_difference_along_the_gradient() -> None:
    context = exact_context("attention")
    context.model.train()
    loss, weights = flat_tempered_loss(context, 2.0)
    survives = torch.cat([mask.flatten() for mask in context.mask.tensors.values()])
    gradient_at = grad(loss)
    direction = gradient_at(weights) * survives
    step = 1e-5
    product = gradient_at(weights + step * direction) - gradient_at(weights - step * direction)
    expected = weights * product / (2 * step)
    actual = torch.cat([s.flatten() for s in Grasp(temperature=2.0).scores(context).values()])
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-10)


def test_the_balanced_sample_has_as_many_examples_of_each_class_there_is() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 13 + [2] * 7 + [3] * 21)[torch.randperm(41, generator=generator)]
    images = torch.arange(41.0).view(41, 1, 1, 1)
    batches = list(
        class_balanced(lambda: list(zip(images.split(10), labels.split(10), strict=True)))
    )
    found = torch.cat([label for _, label in batches])
    assert torch.bincount(found).tolist() == [7, 0, 7, 7]
    assert all(2 <= len(label) <= 11 for _, label in batches)
    for image, label in batches:
        assert torch.equal(labels[image.flatten().long()], label)


def test_synflow_of_a_chain_of_matrices_is_the_sum_over_paths() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(n, n - 1, bias=False) for n in (6, 5, 4)]
    model = nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    context = ScoringContext(
        model, Mask.dense(prunable_parameters(model)), list, (1, 2, 3), 3, torch.Generator()
    )
    a, b, c = (layer.weight.detach().double().abs() for layer in layers)
    expected = {
        "1.weight": torch.einsum("ji,kj,lk->ji", a, b, c),
        "3.weight": torch.einsum("ji,kj,lk->kj", a, b, c),
        "5.weight": torch.einsum("ji,kj,lk->lk", a, b, c),
    }
    scores = SynFlow().scores(context)
    assert all(score.dtype == torch.float64 for score in scores.values())
    assert_same_scores(context, scores, expected)


def test_synflow_is_what_the_output_loses_without_the_weight() -> None:
    """R is linear in each weight of a network of convolutions, normalisation and ReLU."""
    context = exact_context("normalised")
    with torch.no_grad():
        for module in context.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(0.5, 2.0)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.uniform_(-1.0, 1.0)
                module.bias.uniform_(-1.0, 1.0)
    twin = exact_context("normalised").model
    twin.load_state_dict(context.model.state_dict())
    twin.eval()
    ones = torch.ones((1, *IMAGE_SHAPE), dtype=torch.float64)
    scores = SynFlow().scores(context)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.abs_()
        for module in twin.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.zero_()
        whole = twin(ones).sum()
        for name, weight in prunable_parameters(twin).items():
            for index in range(0, weight.numel(), 7):
                kept = weight.view(-1)[index].clone()
                weight.view(-1)[index] = 0.0
                lost = whole - twin(ones).sum()
                weight.view(-1)[index] = kept
                torch.testing.assert_close(
                    scores[name].view(-1)[index], lost, rtol=1e-8, atol=1e-9
                )


def test_synflow_stays_finite_and_ranks_on_a_deep_network() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), *(nn.Linear(64, 64, bias=False) for _ in range(60)), nn.Linear(64, 3)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    context = ScoringContext(
        model, Mask.dense(prunable_parameters(model)), list, (1, 8, 8), 3, torch.Generator()
    )
    for score in SynFlow().scores(context).values():
        assert bool(score.isfinite().all())
        assert len(score.unique()) > score.numel() * 0.9


def test_grasp_says_which_operation_has_no_second_derivative() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 5), nn.Hardsigmoid(), nn.Linear(5, 4))
    with pytest.raises(ValueError, match=r"grasp needs second derivatives.*hardsigmoid"):
        Grasp().scores(context_of(model))
