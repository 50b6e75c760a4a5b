"""Device and number format of a trial."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import torch

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["fp32", "bf16", "auto"]


def resolve_device(name: DeviceName) -> torch.device:
    """The device called ``name``; ``auto`` is a GPU where one is visible.

    Raises:
        ValueError: ``cuda`` is asked for and torch sees none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "training.device is cuda, but torch sees no GPU here; set it to auto or cpu, or "
            "resources.gpus_per_trial above 0 if the GPU is hidden from the trial"
        )
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def resolve_precision(name: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """``auto`` is bf16 on GPUs that have it, else fp32."""
    if name != "auto":
        return name
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def memory_format(precision: Literal["fp32", "bf16"], device: torch.device) -> torch.memory_format:
    """How a network's convolutions keep their weights, which their activations follow.

    Channels last is the faster one on a CPU in either precision, and in half precision on a GPU.
    """
    is_faster = device.type == "cpu" or precision == "bf16"
    return torch.channels_last if is_faster else torch.contiguous_format


def autocast(
    precision: Literal["fp32", "bf16"], device: torch.device
) -> contextlib.AbstractContextManager[object]:
    """The context of a forward pass. Scores and parameters stay fp32 in either."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextlib.contextmanager
def exact_fp32(device: torch.device) -> Iterator[None]:
    """Within, a GPU multiplies fp32 as fp32, never as TF32, which keeps 10 bits of 23.

    Torch's own convolutions are in TF32 unless set otherwise, so that scores in fp32 and
    ``precision: fp32`` would be neither. What is set here holds for the process, and is as before
    afterwards.
    """
    if device.type != "cuda":
        yield
        return
    # The flags that torch's compiler reads too; of the newer ones it can say nothing.
    kinds: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [kind.allow_tf32 for kind in kinds]
    try:
        for kind in kinds:
            kind.allow_tf32 = False
        yield
    finally:
        for kind, is_allowed in zip(kinds, before, strict=True):
            kind.allow_tf32 = is_allowed
