"""Named random generators for torch and numpy."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from study.seeding import derive_seed


def torch_generator(seed: int, *name: str | int) -> torch.Generator:
    """A CPU generator for the random stream ``name``."""
    return torch.Generator().manual_seed(derive_seed(seed, *name))


def numpy_generator(seed: int, *name: str | int) -> np.random.Generator:
    """A numpy generator for the random stream ``name``."""
    return np.random.default_rng(derive_seed(seed, *name))


@contextmanager
def global_seed(device: torch.device, seed: int, *name: str | int) -> Iterator[None]:
    """Seed torch's global generators inside, and leave them outside as they were.

    For what cannot be given a generator: weight initialisation and dropout.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive_seed(seed, *name))
        yield
