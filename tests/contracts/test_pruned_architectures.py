"""Every architecture of the registry, pruned twice; all but one of each family are slow."""

import pickle
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from study.pruning.allocation import Global
from study.pruning.criteria import Magnitude
from study.pruning.gradient_criteria import Snip
from study.pruning.ledger import check_mask
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningMethod, num_kept, prune
from study.pruning.scoring import Criterion, ScoringContext
from tests.helpers.architectures import NUM_CLASSES, built, cases, smallest_side
from tests.helpers.untouched import assert_untouched, snapshot

NUM_EXAMPLES = 4


def context_of(model: nn.Module, mask: Mask, side: int) -> ScoringContext:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(NUM_EXAMPLES, 3, side, side, generator=generator)
    labels = torch.arange(NUM_EXAMPLES) % NUM_CLASSES

    def minibatches() -> Iterable[tuple[Tensor, Tensor]]:
        return [(images, labels)]

    return ScoringContext(
        model=model,
        mask=mask,
        minibatches=minibatches,
        image_shape=(3, side, side),
        num_classes=NUM_CLASSES,
        generator=torch.Generator().manual_seed(2),
    )


@pytest.mark.parametrize("criterion", [Magnitude(), Snip()], ids=["magnitude", "snip"])
@pytest.mark.parametrize("name", cases())
def test_an_architecture_is_pruned_exactly_nested_repeatably_and_left_as_it_was(
    name: str, criterion: Criterion
) -> None:
    side = smallest_side(name)
    model = built(name, side).train()
    method = PruningMethod(criterion, Global())
    mask = Mask.dense(prunable_parameters(model))
    for density in (0.5, 0.1):
        before = snapshot(model)
        decision = prune(context_of(model, mask, side), method=method, density=density)
        assert_untouched(before, snapshot(model))
        check_mask(decision.mask, previous=mask, density=density)
        assert decision.mask.num_kept == num_kept(density, mask.num_weights)
        previous, mask = mask, decision.mask
        twin = pickle.loads(pickle.dumps(method))
        assert prune(context_of(model, previous, side), method=twin, density=density) == decision
        mask.apply_(model)
