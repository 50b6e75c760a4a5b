"""By which kernels a trial's convolutions run."""

import contextlib
from typing import Literal

import torch

from study.models.matrix_convolution import MatrixConvolutions

# As a study asks for them, and as a trial runs by them.
KernelChoice = Literal["auto", "portable"]
Kernels = Literal["portable", "matrix_products"]

PORTABLE: Literal["portable"] = "portable"


def resolve_kernels(
    choice: KernelChoice, precision: Literal["fp32", "bf16"], device: torch.device
) -> Kernels:
    """``auto`` is matrix products in bf16 on a processor that multiplies matrices of it.

    What a processor offers decides, never how long anything takes, so that two runs of a trial on
    one kind of machine run by the same kernels.
    """
    is_offered = device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False)
    if choice == "auto" and precision == "bf16" and is_offered:
        return "matrix_products"
    return PORTABLE


def convolutions(kernels: Kernels) -> contextlib.AbstractContextManager[object]:
    """The context of a forward pass by these kernels; its gradients are theirs too."""
    return contextlib.nullcontext() if kernels == PORTABLE else MatrixConvolutions()
