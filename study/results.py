"""Records that cross layers: what a trial reports, and what the outside needs to know of it."""

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    EARLY_STOPPED = "early_stopped"
    ERROR = "error"
    INTERRUPTED = "interrupted"


# Trials whose histories are whole: results of their configuration.
ENDED_BY_THEMSELVES = frozenset({Outcome.COMPLETE, Outcome.EARLY_STOPPED})


@dataclass(frozen=True, slots=True)
class LayerDensity:
    """One line of the sparsity ledger: a prunable tensor after one pruning event.

    Densities are fractions. ``effective_density`` counts only weights on some path from input to
    output, and is None for graphs on which those cannot be found. ``forward_flops`` are those of
    one image through the tensor, were it dense; scaled by ``density`` they are what is left.
    """

    layer: str
    num_weights: int
    num_kept: int
    intended_density: float
    density: float
    mask_overlap: float
    effective_density: float | None = None
    forward_flops: int = 0


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One pass over what a megabatch trains on. ``step`` counts a trial's epochs from 0.

    ``recorded_at`` is when the study recorded it, in seconds since 1970; 0 where none has.
    """

    megabatch_index: int
    epoch_index: int
    step: int
    metrics: Mapping[str, float]
    recorded_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class MegabatchRecord:
    """The model in service once a megabatch has been learned, or has arrived and waits.

    ``stream_fraction`` is (megabatch_index + 1) / T; ``kept_epoch_index`` is None where no model
    was trained after this arrival, and metrics and ledger are those of the one before;
    ``summary`` holds the metrics of the whole trial and is empty before the last megabatch;
    ``example_errors`` has, for ``holdout`` and ``test``, which examples it gets wrong, as
    :class:`study.example_errors.ExampleErrors` writes it; ``measured_with`` is by what its
    latency was measured (runtime, threads and processor), where it was; ``kernels`` are those by
    which its convolutions ran in training, empty where that is unknown; ``recorded_at`` as in
    :class:`EpochRecord`.
    """

    megabatch_index: int
    stream_fraction: float
    kept_epoch_index: int | None
    metrics: Mapping[str, float]
    summary: Mapping[str, float] = field(default_factory=dict)
    layers: tuple[LayerDensity, ...] = ()
    example_errors: Mapping[str, str] = field(default_factory=dict)
    measured_with: str = field(default="", compare=False)
    kernels: str = field(default="", compare=False)
    recorded_at: float = field(default=0.0, compare=False)

    @property
    def is_trained(self) -> bool:
        """Whether a model was trained after this arrival."""
        return self.kept_epoch_index is not None

    @property
    def is_last(self) -> bool:
        """Whether the stream has ended with it."""
        return bool(self.summary)


@dataclass(frozen=True, slots=True)
class TrialHistory:
    """All that a trial has reported so far, in order."""

    epochs: tuple[EpochRecord, ...] = ()
    megabatches: tuple[MegabatchRecord, ...] = ()

    def recorded(self, at: float) -> "TrialHistory":
        """The same, recorded at this time in seconds since 1970."""
        return TrialHistory(
            tuple(dataclasses.replace(epoch, recorded_at=at) for epoch in self.epochs),
            tuple(dataclasses.replace(m, recorded_at=at) for m in self.megabatches),
        )

    @property
    def last_recorded_at(self) -> float:
        """When the newest of it was recorded; 0 where nothing was."""
        epoch = self.epochs[-1].recorded_at if self.epochs else 0.0
        megabatch = self.megabatches[-1].recorded_at if self.megabatches else 0.0
        return max(epoch, megabatch)

    @property
    def measured_with(self) -> str:
        """By what the latency of its newest measured model was measured; empty where none was."""
        return next((m.measured_with for m in reversed(self.megabatches) if m.measured_with), "")

    @property
    def kernels(self) -> str:
        """By which kernels its newest trained model was trained; empty where that is unknown."""
        return next((m.kernels for m in reversed(self.megabatches) if m.kernels), "")

    def after(self, known: "TrialHistory") -> "TrialHistory":
        """Those of the records that follow what is ``known`` of the same trial."""
        num_epochs, num_megabatches = len(known.epochs), len(known.megabatches)
        return TrialHistory(
            tuple(e for e in self.epochs if e.step >= num_epochs),
            tuple(m for m in self.megabatches if m.megabatch_index >= num_megabatches),
        )

    def __add__(self, newer: "TrialHistory") -> "TrialHistory":
        return TrialHistory(self.epochs + newer.epochs, self.megabatches + newer.megabatches)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, read back by :meth:`from_dict` to equal records, through JSON too."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "TrialHistory":
        """The history that :meth:`to_dict` wrote."""
        return cls(
            tuple(
                EpochRecord(**{**epoch, "metrics": _shared(epoch["metrics"])})
                for epoch in raw["epochs"]
            ),
            tuple(
                MegabatchRecord(
                    **{
                        **megabatch,
                        "metrics": _shared(megabatch["metrics"]),
                        "layers": tuple(
                            LayerDensity(**{**x, "layer": sys.intern(x["layer"])})
                            for x in megabatch["layers"]
                        ),
                    }
                )
                for megabatch in raw["megabatches"]
            ),
        )

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "TrialHistory":
        """The history that :meth:`to_json` wrote."""
        return cls.from_dict(json.loads(text))


def _shared(metrics: Mapping[str, float]) -> dict[str, float]:
    """The same, whose names are those of all other records: of thousands of trials each once."""
    return {sys.intern(name): value for name, value in metrics.items()}
