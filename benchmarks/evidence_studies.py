"""Studies drawn from the recorded table: a search under one seed, and what is true of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from analysis.statistics.losses import Losses
from analysis.statistics.sequential import LOOKS
from study.candidates import Candidate, looking_as_good, spread
from study.metrics import chance_error

SEARCHED, TOP = 30, 3
NUM_MEGABATCHES = 4
CHANCE = chance_error(10)
Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class EvidenceTable:
    """Trials at one T.

    Attributes:
        densities: Of each configuration at the end of the stream; 1 is dense.
        settings: Schedule, criterion and learning rate of each configuration.
        early: Wrong answers before the last megabatch, ``uint8 [configurations, seeds, n]``.
        last: Whether the last model is wrong, ``bool``, of the same shape.
    """

    densities: Array
    settings: tuple[tuple[str, str, float], ...]
    early: NDArray[np.uint8]
    last: NDArray[np.bool_]

    @property
    def num_seeds(self) -> int:
        """Of every configuration."""
        return int(self.last.shape[1])

    @property
    def num_examples(self) -> int:
        """In all."""
        return int(self.last.shape[2])

    @property
    def dense(self) -> Indices:
        """The baselines."""
        return np.flatnonzero(self.densities == 1)

    @property
    def pruned(self) -> Indices:
        """What a search draws from."""
        return np.flatnonzero(self.densities < 1)

    def losses(self, configuration: int, seeds: Indices, examples: Indices) -> Losses:
        """``[seeds, examples]`` of one configuration."""
        cells = np.ix_(seeds, examples)
        return self._losses(self.early[configuration][cells], self.last[configuration][cells])

    def network(self, configuration: int, seed: int, examples: Indices) -> Losses:
        """``[examples]`` of one trial."""
        return self._losses(
            self.early[configuration, seed, examples], self.last[configuration, seed, examples]
        )

    @staticmethod
    def _losses(early: NDArray[np.uint8], last: NDArray[np.bool_]) -> Losses:
        final = last.astype(np.float64)
        return Losses(((CHANCE + early) / NUM_MEGABATCHES + final) / 2, final)

    def resampled(self, rng: np.random.Generator) -> "EvidenceTable":
        """Pruned configurations and seeds drawn with replacement, as if recorded anew."""
        rows = np.concatenate([self.dense, rng.choice(self.pruned, len(self.pruned))])
        seeds = rng.choice(self.num_seeds, self.num_seeds)
        cells = np.ix_(rows, seeds)
        return EvidenceTable(
            densities=self.densities[rows],
            settings=tuple(self.settings[row] for row in rows),
            early=self.early[cells],
            last=self.last[cells],
        )

    @cached_property
    def sums(self) -> Array:
        """Losses over all examples ``[2, configurations, seeds]``: service and final."""
        last = self.last.sum(axis=2, dtype=np.float64)
        early = CHANCE * self.num_examples + self.early.sum(axis=2, dtype=np.float64)
        return np.stack([(early / NUM_MEGABATCHES + last) / 2, last])

    def truth(self, examples: Indices) -> Array:
        """Mean losses outside ``examples``: ``[2, configurations, seeds]``."""
        early = CHANCE * len(examples) + self.early[:, :, examples].sum(axis=2, dtype=np.float64)
        last = self.last[:, :, examples].sum(axis=2, dtype=np.float64)
        inside = np.stack([(early / NUM_MEGABATCHES + last) / 2, last])
        outside: Array = (self.sums - inside) / (self.num_examples - len(examples))
        return outside


def read_rows(path: Path, num_megabatches: int = NUM_MEGABATCHES) -> list[dict[str, Any]]:
    """The trials of a file, or of a folder of parts, at one T."""
    paths = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    rows = pa.concat_tables([pq.read_table(p) for p in paths]).to_pylist()
    return [row for row in rows if row["num_megabatches"] == num_megabatches]


def table_of(rows: Sequence[Mapping[str, Any]], among: Collection[int] = ()) -> EvidenceTable:
    """The trials of these configurations (of all, where none is given) under all common seeds."""
    by_cell = {(row["configuration"], row["seed"]): row for row in rows}
    numbers = sorted(set(among) or {number for number, _ in by_cell})
    seeds = [
        seed
        for seed in sorted({seed for _, seed in by_cell})
        if all((number, seed) in by_cell for number in numbers)
    ]
    wrong = np.stack(
        [np.stack([_wrong(by_cell[number, seed]) for seed in seeds]) for number in numbers]
    )
    first = [by_cell[number, seeds[0]] for number in numbers]
    return EvidenceTable(
        densities=np.array([row["final_density"] for row in first]),
        settings=tuple((row["schedule"], row["criterion"], row["lr"]) for row in first),
        early=wrong[:, :, :-1].sum(axis=2, dtype=np.uint8),
        last=wrong[:, :, -1],
    )


def read_table(path: Path, num_megabatches: int = NUM_MEGABATCHES) -> EvidenceTable:
    """The trials of a file, or of a folder of parts, at one T, under the seeds that all have."""
    return table_of(read_rows(path, num_megabatches))


def _wrong(row: Mapping[str, Any]) -> NDArray[np.bool_]:
    """``[T, n]``, the two pools one after the other."""
    found = []
    for pool in ("judges_wrong", "others_wrong"):
        packed = row[pool]
        assert isinstance(packed, bytes)
        bits = np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool)
        found.append(bits.reshape(NUM_MEGABATCHES, -1))
    return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class Study:
    """A search that has ended.

    Attributes:
        searched_on: Examples that the search saw.
        judged_on: Examples that judge its candidates.
        seed: Of its trials.
        fresh: Seeds of the confirmation, in their order; drawn with replacement where the table
            has too few others.
        reference: The best dense configuration.
        trials: Pruned configurations that were tried.
        errors: Service and final error of each trial on what the search saw, ``[2, trials]``.
        reference_errors: Those of the reference, ``[2]``.
        truth: Mean losses elsewhere, ``[2, configurations, seeds]``.
        margin: As a fraction of examples.
    """

    searched_on: Indices
    judged_on: Indices
    seed: int
    fresh: Indices
    reference: int
    trials: Indices
    errors: Array
    reference_errors: Array
    truth: Array
    margin: float

    def true_difference(self, configuration: int) -> Array:
        """Service and final error of the configuration less the reference's."""
        means = self.truth.mean(axis=2)
        difference: Array = means[:, configuration] - means[:, self.reference]
        return difference

    def true_network_difference(self, configuration: int) -> Array:
        """The same of the two networks of the search."""
        found: Array = (
            self.truth[:, configuration, self.seed] - self.truth[:, self.reference, self.seed]
        )
        return found


def draw_study(
    table: EvidenceTable,
    rng: np.random.Generator,
    *,
    size: int,
    judging_share: float,
    margin: float,
) -> Study:
    """A random search on a holdout of ``size``, of which a share is kept from it (0: none)."""
    holdout = rng.choice(table.num_examples, size, replace=False)
    num_kept = round(judging_share * size)
    searched_on = holdout[num_kept:]
    seed = int(rng.integers(table.num_seeds))
    others = np.delete(np.arange(table.num_seeds), seed)
    trials = rng.choice(table.pruned, SEARCHED, replace=False)
    fresh = rng.choice(others, max(LOOKS), replace=len(others) < max(LOOKS))

    def errors(configurations: Indices) -> Array:
        seen = [table.network(int(c), seed, searched_on) for c in configurations]
        return np.array([[s.service.mean() for s in seen], [s.final.mean() for s in seen]])

    dense = errors(table.dense)
    best = int(np.argmin(dense[0]))
    return Study(
        searched_on=searched_on,
        judged_on=holdout[:num_kept] if num_kept else holdout,
        seed=seed,
        fresh=fresh,
        reference=int(table.dense[best]),
        trials=trials,
        errors=errors(trials),
        reference_errors=dense[:, best],
        truth=table.truth(holdout),
        margin=margin,
    )


Choice = Callable[[EvidenceTable, Study], list[int]]


def front_as_good(table: EvidenceTable, study: Study, *, allowed: float) -> list[Candidate]:
    """What looks as good as dense on what the search saw, within a share of the margin."""
    dense_service, dense_final = map(float, study.reference_errors)
    networks = [
        Candidate(int(c), float(table.densities[c]), service, final, dense_service, dense_final)
        for c, service, final in zip(study.trials, *study.errors.tolist(), strict=True)
    ]
    return looking_as_good(networks, allowed * study.margin)


def smallest_points(table: EvidenceTable, study: Study) -> list[int]:
    """The smallest of the front that look as good."""
    return [one.number for one in front_as_good(table, study, allowed=1.0)[-TOP:]]


def spread_points(table: EvidenceTable, study: Study) -> list[int]:
    """The largest of the front that looks as good, the smallest, and the middle of their logs.

    As ``app-study confirm`` chooses.
    """
    return [one.number for one in spread(front_as_good(table, study, allowed=1.0), TOP)]


def cautious_points(table: EvidenceTable, study: Study) -> list[int]:
    """The same of those that look as good within half the margin."""
    return [one.number for one in spread(front_as_good(table, study, allowed=0.5), TOP)]


CHOICES: dict[str, Choice] = {
    "smallest": smallest_points,
    "spread": spread_points,
    "cautious": cautious_points,
}
