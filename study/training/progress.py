"""Where a trial stands, and its checkpoint: tensors and plain values, nothing else."""

import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn

from study.pruning.mask import Mask
from study.results import EpochRecord, LayerDensity, MegabatchRecord, TrialHistory
from study.training.kernels import PORTABLE, Kernels
from study.training.starts import FirstModel

STATE_FORMAT = 2


@dataclass(frozen=True)
class BestEpoch:
    """The best epoch of a megabatch so far, as copies on the network's device."""

    validation_accuracy: float
    epoch_index: int
    model: dict[str, Any]
    optimizer: dict[str, Any]

    @classmethod
    def copy_of(
        cls, model: nn.Module, optimiser: torch.optim.Optimizer, record: EpochRecord
    ) -> "BestEpoch":
        """Network and optimiser as the epoch of ``record`` left them."""
        return cls(
            validation_accuracy=record.metrics["validation_accuracy"],
            epoch_index=record.epoch_index,
            model=copy.deepcopy(model.state_dict()),
            optimizer=copy.deepcopy(optimiser.state_dict()),
        )

    def restore_(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Bring network and optimiser back to that epoch, in place."""
        model.load_state_dict(self.model, strict=True)
        # An optimiser takes tensors over as they are, and would then train this copy.
        optimiser.load_state_dict(copy.deepcopy(self.optimizer))


def is_best(record: EpochRecord, best: BestEpoch | None) -> bool:
    """Whether an epoch is the one to keep so far, the latest of equals; never unvalidated."""
    accuracy = record.metrics.get("validation_accuracy")
    return accuracy is not None and (best is None or accuracy >= best.validation_accuracy)


@dataclass(frozen=True)
class Progress:
    """Where a trial stands, apart from its network, mask and optimiser.

    Attributes:
        history: All that was reported.
        megabatch_index: Megabatches learned.
        epoch_index: Epochs done in the megabatch that is open; 0 means that none is open.
        samples_seen: Examples forward and backward through the network, scored ones included.
        samples_scored: Of these, those that weights were scored on.
        scored_now: Of these, those of the open megabatch.
        seconds: Wall time of the open megabatch.
        best: Its best epoch, where one is to be kept.
        layers: Ledger of the newest pruning event.
        asked_density: What its schedule asked for; 1 before the first.
        first: The network after the first megabatch, where starts go back to it.
    """

    history: TrialHistory = field(default_factory=TrialHistory)
    megabatch_index: int = 0
    epoch_index: int = 0
    samples_seen: int = 0
    samples_scored: int = 0
    scored_now: int = 0
    seconds: float = 0.0
    best: BestEpoch | None = None
    layers: tuple[LayerDensity, ...] = ()
    asked_density: float = 1.0
    first: FirstModel | None = None

    @property
    def open_epochs(self) -> tuple[EpochRecord, ...]:
        """Records of the open megabatch."""
        return self.history.epochs[len(self.history.epochs) - self.epoch_index :]

    def after_pruning(
        self, layers: tuple[LayerDensity, ...], *, asked_density: float, num_scored: int
    ) -> "Progress":
        """A megabatch has opened with a pruning event that scored so many examples."""
        return replace(
            self,
            layers=layers,
            asked_density=asked_density,
            best=None,
            samples_seen=self.samples_seen + num_scored,
            samples_scored=self.samples_scored + num_scored,
            scored_now=num_scored,
        )

    def after_epoch(
        self, record: EpochRecord, *, num_samples: int, best: BestEpoch | None
    ) -> "Progress":
        """One epoch of ``num_samples`` examples on."""
        return replace(
            self,
            history=TrialHistory((*self.history.epochs, record), self.history.megabatches),
            epoch_index=self.epoch_index + 1,
            samples_seen=self.samples_seen + num_samples,
            best=best,
        )

    def after_megabatch(
        self, record: MegabatchRecord, *, first: FirstModel | None = None
    ) -> "Progress":
        """The open megabatch closed; what was its own is forgotten. ``first``: see above."""
        return Progress(
            history=TrialHistory(self.history.epochs, (*self.history.megabatches, record)),
            megabatch_index=self.megabatch_index + 1,
            samples_seen=self.samples_seen,
            samples_scored=self.samples_scored,
            layers=self.layers,
            asked_density=self.asked_density,
            first=first or self.first,
        )


def pack_state(
    progress: Progress,
    *,
    identity: str,
    model: nn.Module,
    mask: Mask,
    optimiser: torch.optim.Optimizer,
    kernels: Kernels,
) -> dict[str, Any]:
    """A checkpoint. Its tensors are the live ones: write or copy it before training goes on."""
    return {
        "format": STATE_FORMAT,
        "identity": identity,
        "kernels": kernels,
        "megabatch_index": progress.megabatch_index,
        "epoch_index": progress.epoch_index,
        "samples_seen": progress.samples_seen,
        "samples_scored": progress.samples_scored,
        "scored_now": progress.scored_now,
        "seconds": progress.seconds,
        "model": model.state_dict(),
        "mask": dict(mask.tensors),
        "optimizer": optimiser.state_dict(),
        "best": None if progress.best is None else dict(vars(progress.best)),
        "history": progress.history.to_json(),
        "layers": [asdict(layer) for layer in progress.layers],
        "asked_density": progress.asked_density,
        "first": None if progress.first is None else dict(vars(progress.first)),
    }


def check_state(state: dict[str, Any], *, identity: str) -> None:
    """Check whose checkpoint it is.

    Raises:
        ValueError: It is another trial's, or of another format.
    """
    if state["format"] != STATE_FORMAT or state["identity"] != identity:
        raise ValueError(
            f"the checkpoint is of trial {state['identity']} (format {state['format']}), not "
            f"of {identity} (format {STATE_FORMAT}); give its folder another name or remove it"
        )


def mask_of(state: dict[str, Any], device: torch.device) -> Mask:
    """The mask of a checkpoint, copied to ``device``."""
    return Mask({n: t.to(device, copy=True) for n, t in state["mask"].items()})


def kernels_of(state: dict[str, Any]) -> Kernels:
    """Those that a checkpoint's trial runs by; older ones do not say, and had no others."""
    kernels: Kernels = state.get("kernels", PORTABLE)
    return kernels


def unpack_state(
    state: dict[str, Any], *, model: nn.Module, optimiser: torch.optim.Optimizer
) -> Progress:
    """Bring network and optimiser to a checkpoint, in place; nothing of it is shared with them.

    Args:
        state: A checkpoint.
        model: Of the shapes that it was written with.
        optimiser: Of ``model``.

    Returns:
        Where the trial stands.
    """
    model.load_state_dict(state["model"], strict=True)
    optimiser.load_state_dict(copy.deepcopy(state["optimizer"]))
    best, first = state["best"], state.get("first")
    return Progress(
        history=TrialHistory.from_json(state["history"]),
        megabatch_index=state["megabatch_index"],
        epoch_index=state["epoch_index"],
        samples_seen=state["samples_seen"],
        samples_scored=state["samples_scored"],
        scored_now=state["scored_now"],
        seconds=state["seconds"],
        best=None if best is None else BestEpoch(**copy.deepcopy(best)),
        layers=tuple(LayerDensity(**layer) for layer in state["layers"]),
        # Of single weights, as older checkpoints all are, the mask says as much.
        asked_density=state.get("asked_density", 1.0),
        first=None if first is None else FirstModel(**copy.deepcopy(first)),
    )
