"""By which kernels a trial runs: torch's own, matrix products, or what its compiler makes."""

import contextlib
import os
import shutil
import textwrap
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from study.errors import TrialError
from study.models.matrix_convolution import MatrixConvolutions, may_have_products

# As a study asks for them, and as a trial runs by them.
KernelChoice = Literal["auto", "portable"]
Kernels = Literal["portable", "matrix_products"]

PORTABLE: Literal["portable"] = "portable"

_COMPILERS = ("torch._dynamo", "torch._inductor")  # whose errors have no public name


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


def convolutions(kernels: Kernels, model: nn.Module) -> contextlib.AbstractContextManager[object]:
    """The context of forward passes of ``model``, whose gradients are by these kernels too."""
    # The context takes a few microseconds of every call, which a small network would feel.
    if kernels == PORTABLE or not may_have_products(model):
        return contextlib.nullcontext()
    return MatrixConvolutions()


def require_compiler(device: torch.device) -> None:
    """Check that a network on this device could be compiled.

    Raises:
        ValueError: It is a CPU, and there is no C++ compiler.
    """
    compiler = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise ValueError(
            f"training.compile needs a C++ compiler on a CPU, and there is no {compiler} here; "
            "install one, name it by the environment variable CXX, or leave compile out"
        )


def compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network's forward pass, and with it the backward pass, compiled when it is first taken.

    For mini-batches of one size: another would have all compiled anew, which takes longer than it
    saves, and by whether that has happened already a cut trial would differ from an uncut one.

    Raises:
        TrialError: By the forward pass, torch's compiler fails.
    """
    made: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False)

    def forward(images: Tensor) -> Tensor:
        try:
            return made(images)
        except RuntimeError as error:
            if type(error).__module__.startswith(_COMPILERS):
                reason = textwrap.shorten(str(error).partition("\n\n")[0], 300)
                raise TrialError(
                    f"training.compile: torch's compiler failed ({reason}); leave compile out"
                ) from error
            raise

    return forward
