"""What a stream would have been served under a policy, from models that were all trained."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.by_example import wrong_examples
from analysis.reports.waiting.policies import Arrivals
from analysis.reports.waiting.purity import obstacle
from analysis.runs.frames import KEY, STEP, T
from analysis.statistics import summary
from analysis.statistics.losses import Losses, service_losses
from analysis.statistics.verdicts import FEWEST_EXAMPLES
from study.metrics import chance_error, service_error

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.runs.study_runs import Runs

_NO_OUTCOMES = "its outcomes by example are missing, as an older version left none"
_FEWEST_EXAMPLES = 2 * FEWEST_EXAMPLES
_TOO_FEW = (
    f"the holdout has fewer than {_FEWEST_EXAMPLES} examples, of which one half chooses and the "
    f"other judges"
)
_ERRORS = ("holdout_error_rate", "test_error_rate", "validation_error_rate")


@dataclass(frozen=True, eq=False)
class RecordedStream:
    """A trial that has trained a model after every arrival, each of them from nothing.

    Attributes:
        key: The trial's.
        errors: Split's metric → error rate of each model, NaN where it was not measured.
        densities: Of each model.
        samples: Examples that each model took, scored ones included.
        flops: Training FLOPs of each model.
        arrivals: What a policy may see.
        wrong: Which holdout examples each model gets wrong, ``[T, n]``.
        chance: e_0, the error of a guess.
        service_after: The h of the service error.
    """

    key: str
    errors: dict[str, tuple[float, ...]]
    densities: tuple[float, ...]
    samples: tuple[int, ...]
    flops: tuple[int, ...]
    arrivals: Arrivals
    wrong: "NDArray[np.bool_]"
    chance: float
    service_after: float

    @property
    def num_megabatches(self) -> int:
        """T."""
        return len(self.samples)


@dataclass(frozen=True)
class Replay:
    """A policy on one recorded stream: the numbers of a trial with that ``training.at``.

    Attributes:
        at: Arrivals after which a model is trained.
        holdout_errors: Of what is in service after each arrival.
        service_error: On the holdout.
        final_error: On the holdout.
        test_service_error: On the test split; NaN without one.
        final_density: Of the last model.
        samples_seen: Examples.
        train_flops: FLOPs.
    """

    at: tuple[int, ...]
    holdout_errors: tuple[float, ...]
    service_error: float
    final_error: float
    test_service_error: float
    final_density: float
    samples_seen: int
    train_flops: int


def served(at: Sequence[int], num_megabatches: int) -> list[int | None]:
    """Which model is in service after each arrival; None while it is a guess."""
    found: list[int | None] = []
    newest = None
    chosen = set(at)
    for k in range(num_megabatches):
        newest = k if k in chosen else newest
        found.append(newest)
    return found


def replay(stream: RecordedStream, at: tuple[int, ...]) -> Replay:
    """What the stream would have been under ``at``."""
    models = served(at, stream.num_megabatches)

    def errors(split: str) -> tuple[float, ...]:
        return tuple(stream.chance if k is None else stream.errors[split][k] for k in models)

    def service(rates: tuple[float, ...]) -> float:
        return service_error(rates, chance=stream.chance, service_after=stream.service_after)

    holdout, test = errors("holdout_error_rate"), errors("test_error_rate")
    return Replay(
        at=at,
        holdout_errors=holdout,
        service_error=service(holdout),
        final_error=holdout[-1],
        test_service_error=math.nan if any(e != e for e in test) else service(test),
        final_density=stream.densities[at[-1]],
        samples_seen=sum(stream.samples[k] for k in at),
        train_flops=sum(stream.flops[k] for k in at),
    )


def losses(
    streams: Sequence[RecordedStream],
    sets: Sequence[tuple[int, ...]],
    examples: "NDArray[np.int64]",
) -> Losses:
    """Losses by example under a policy, of ``examples`` of the holdout alone.

    Args:
        streams: One a seed.
        sets: Arrivals that the policy chooses on each.
        examples: Their positions.

    Returns:
        ``[seeds, examples]``, of a single seed ``[examples]``.
    """
    import numpy as np

    first = streams[0]
    made = []
    for stream, at in zip(streams, sets, strict=True):
        own = stream.wrong[:, examples].astype(float)
        guess = np.full(len(examples), stream.chance)
        models = served(at, stream.num_megabatches)
        made.append(np.stack([guess if k is None else own[k] for k in models]))
    wrong = np.stack(made) if len(made) > 1 else made[0]
    service = service_losses(wrong, chance_error=first.chance, service_after=first.service_after)
    return Losses(service, wrong[..., -1, :])


@dataclass(frozen=True, eq=False)
class Configuration:
    """Recorded streams that differ in their seeds alone.

    Attributes:
        trials: Their rows.
        streams: In the order of ``trials``.
    """

    trials: "pd.DataFrame"
    streams: tuple[RecordedStream, ...]


def configurations(runs: "Runs") -> tuple[list[Configuration], list[str]]:
    """The configurations that can be replayed, and why others cannot, each reason once."""
    trials = runs.complete
    reasons: dict[str, None] = {}
    found: dict[str, RecordedStream] = {}
    for _, row in trials.iterrows():
        why = obstacle(row)
        stream = None if why else _recorded(runs, row)
        if stream is None:
            reasons.setdefault(why or _NO_OUTCOMES)
        elif stream.wrong.shape[1] < _FEWEST_EXAMPLES:
            reasons.setdefault(_TOO_FEW)
        else:
            found[row[KEY]] = stream
    usable = trials[trials[KEY].isin(list(found))]
    made = []
    for _, group in usable.groupby(summary.configurations(usable), sort=True):
        streams = tuple(found[key] for key in group[KEY])
        if len({stream.wrong.shape for stream in streams}) == 1:
            made.append(Configuration(group, streams))
    return made, list(reasons)


def _recorded(runs: "Runs", row: "pd.Series") -> RecordedStream | None:
    import pandas as pd

    wrong = wrong_examples(runs, str(row["run_id"]))
    own = runs.megabatches[runs.megabatches[KEY] == row[KEY]].sort_values(STEP)
    known = [row.get(name) for name in (T, "data.stream_size", "data.num_classes")]
    if wrong is None or any(value is None or value != value for value in known):
        return None
    num_megabatches, stream_size, num_classes = (int(float(str(value))) for value in known)
    if len(own) != num_megabatches or len(wrong) != num_megabatches:
        return None

    def column(name: str) -> tuple[float, ...]:
        if name not in own:
            return (math.nan,) * num_megabatches
        return tuple(float(v) for v in pd.to_numeric(own[name], errors="coerce"))

    errors = {name: column(name) for name in _ERRORS}
    each, extra = divmod(stream_size, num_megabatches)
    return RecordedStream(
        key=str(row[KEY]),
        errors=errors,
        densities=column("density"),
        samples=_steps(column("samples_seen")),
        flops=_steps(column("train_flops")),
        arrivals=Arrivals(
            tuple((k + 1) * each + min(k + 1, extra) for k in range(num_megabatches)),
            errors["validation_error_rate"],
        ),
        wrong=wrong,
        chance=chance_error(num_classes),
        service_after=runs.study.service_after,
    )


def _steps(totals: Sequence[float]) -> tuple[int, ...]:
    """How much each megabatch added."""
    return tuple(int(b) - int(a) for a, b in itertools.pairwise((0.0, *totals)))
