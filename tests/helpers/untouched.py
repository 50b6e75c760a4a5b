"""That something leaves a network as it was, bit for bit."""

from typing import Any

import torch
from torch import nn


def snapshot(model: nn.Module) -> dict[str, Any]:
    """All of a network that scoring could touch."""
    return {
        "state": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "grads": {
            name: None if p.grad is None else p.grad.clone()
            for name, p in model.named_parameters()
        },
        "modes": [module.training for module in model.modules()],
        "requires": [p.requires_grad for p in model.parameters()],
        "identities": [id(p) for p in model.parameters()],
        "rng": torch.get_rng_state(),
        "grad_enabled": torch.is_grad_enabled(),
    }


def assert_untouched(before: dict[str, Any], after: dict[str, Any]) -> None:
    for part in ("state", "grads"):
        for name, tensor in before[part].items():
            now = after[part][name]
            assert (tensor is None and now is None) or torch.equal(tensor, now), f"{part} {name}"
    for part in ("modes", "requires", "identities", "grad_enabled"):
        assert before[part] == after[part], part
    assert torch.equal(before["rng"], after["rng"])
