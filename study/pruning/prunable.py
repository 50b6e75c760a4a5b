"""Which parameters of a network can be pruned."""

import fnmatch
from collections.abc import Sequence

from torch import nn
from torch.nn.modules.conv import _ConvNd

_ATTENTION_WEIGHTS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def prunable_parameters(
    model: nn.Module, *, exclude: Sequence[str] = ()
) -> dict[str, nn.Parameter]:
    """Trainable weights of convolutions, linear layers and attention projections, by name.

    Biases and normalisation are never prunable; a tied weight counts once, under its first name;
    frozen weights are left alone.

    Args:
        model: The network.
        exclude: Patterns of parameter or module names to leave dense (``fc``, ``layer1.*``).

    Raises:
        ValueError: A pattern matches nothing, or nothing is left to prune.
    """
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            is_weight = isinstance(module, _ConvNd | nn.Linear) and name == "weight"
            is_attention = isinstance(module, nn.MultiheadAttention) and name in _ATTENTION_WEIGHTS
            if is_weight or is_attention:
                seen.add(id(parameter))
                found[f"{module_name}.{name}" if module_name else name] = parameter

    excluded: set[str] = set()
    for pattern in exclude:
        matched = {
            name
            for name in found
            if fnmatch.fnmatchcase(name, pattern)
            or fnmatch.fnmatchcase(name.rpartition(".")[0], pattern)
        }
        if not matched:
            raise ValueError(
                f"pruning.exclude: {pattern!r} matches no prunable layer (there are: "
                f"{', '.join(found)})"
            )
        excluded |= matched
    kept = {name: parameter for name, parameter in found.items() if name not in excluded}
    if not kept:
        raise ValueError("the network has no prunable weights (none of convolution or linear)")
    return kept
