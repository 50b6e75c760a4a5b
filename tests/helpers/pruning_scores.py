"""Networks in fp64 and comparisons of scores, for the tests of the criteria."""

import torch
from torch import Tensor, nn

from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.scoring import ScoringContext
from study.pruning.top_k import largest_of_all
from tests.helpers.pruning_networks import build, context_of

TIGHT = {"rtol": 1e-9, "atol": 1e-13}


def exact(name: str, *, dropout: bool = False) -> nn.Module:
    """A network in fp64, with dropout off so that a second computation sees the same function."""
    model = build(name, seed=3).double()
    if not dropout:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
    return model


def exact_context(name: str, *, density: float = 0.7) -> ScoringContext:
    """A context whose mask is not dense and whose pruned weights are zero."""
    model = exact(name)
    parameters = prunable_parameters(model)
    generator = torch.Generator().manual_seed(5)
    mask = Mask(
        {n: torch.rand(p.shape, generator=generator) < density for n, p in parameters.items()}
    )
    mask.apply_(model)
    return context_of(model, mask=mask, dtype=torch.float64)


def assert_same_scores(
    context: ScoringContext, actual: dict[str, Tensor], expected: dict[str, Tensor]
) -> None:
    """Equal scores, and the same half of the weights kept."""
    assert list(actual) == list(context.mask.tensors)
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], **TIGHT)
    keep = context.mask.num_kept // 2
    assert largest_of_all(actual, context.mask.tensors, keep) == largest_of_all(
        expected, context.mask.tensors, keep
    )
