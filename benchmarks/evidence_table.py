"""The tables that verdicts are judged on: who was wrong on which example, trial by trial.

    python -m benchmarks.evidence_table mnist --root FOLDER --parts FOLDER --out FILE

trains every configuration under every seed on one stream of images (``mnist``, or the small
``digits``, which need no root) and keeps, after each megabatch, a bit for each example of two
pools: the *judges*, from which holdouts are drawn, and the *others*, which say what is true. A
trial's row is a file of its own in the parts' folder, and a trial that has one is not trained
again. Configurations are complete seed by seed, so that what is there at any time is a smaller
table of the same kind; a few far from dense have more seeds than the rest.
"""

import argparse
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types
import torch
from numpy.typing import NDArray

from benchmarks.studies import one_thread
from study.config.plugins import load_builtin_plugins
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.data.batches import ImagePool
from study.data.dataset import ImageDataset, IndexArray
from study.results import MegabatchRecord
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset

NUM_SEEDS = 20
POOLS_SEED = 0
EVALUATION_BATCH_SIZE = 1000
DENSITIES = (0.02, 0.032, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8)
FEW_DENSITIES = (0.05, 0.1, 0.2, 0.4)
SCHEDULES = ("app", "cubic", "linear", "one_shot")

Flat = Mapping[str, Any]
logger = logging.getLogger("evidence_table")


@dataclass(frozen=True)
class Recipe:
    """What one table is recorded on.

    Attributes:
        sizes: Examples of the stream, the judges and the others; the last two are divisible by
            four, so that a trial's bits make whole bytes at each T.
        fixed: Settings of every trial.
        num_seeds: By T, of each configuration; 20 where none is given.
        more_seeds: Of single configurations, by number, whose difference to dense would else be
            known to less than 0.2 points; of dense as well.
    """

    sizes: tuple[int, int, int]
    fixed: Mapping[str, Any]
    num_seeds: Mapping[int, int] = field(default_factory=dict)
    more_seeds: Mapping[int, int] = field(default_factory=dict)

    def seeds_of(self, number: int, settings: Flat) -> int:
        """How many one configuration has."""
        usual = self.num_seeds.get(settings["stream.num_megabatches"], NUM_SEEDS)
        return self.more_seeds.get(number, usual)


NO_HOLDOUT = {"data.holdout_fraction": 0.0, "model.architecture": "mlp"}  # the pools stand in
RECIPES = {
    "mnist": Recipe(
        sizes=(6000, 1000, 9000),
        fixed={
            **NO_HOLDOUT,
            "data.dataset": "mnist",
            "model.hidden_sizes": [96, 32],
            "training.total_samples": 24_000,
            "training.batch_size": 128,
        },
        num_seeds={4: 26},
        more_seeds={
            2: 126,
            3: 126,
            4: 40,
            5: 40,
            10: 30,
            12: 40,
            13: 126,
            21: 82,
            95: 40,
            97: 40,
        },
    ),
    "digits": Recipe(
        sizes=(400, 360, 672),
        fixed={
            **NO_HOLDOUT,
            "data.dataset": "digits",
            "model.hidden_sizes": [48, 24],
            "training.total_samples": 8000,
            "training.batch_size": 64,
        },
    ),
}


@dataclass(frozen=True)
class Pools:
    """Disjoint indices into the training images.

    Attributes:
        stream: What every trial learns from.
        judges: Holdouts are subsamples of these.
        others: Their mean error is the truth.
    """

    stream: IndexArray
    judges: IndexArray
    others: IndexArray


def pools(num_examples: int, recipe: Recipe) -> Pools:
    """The same for every trial."""
    order = np.random.default_rng(POOLS_SEED).permutation(num_examples).astype(np.int64)
    first, second, third = np.cumsum(recipe.sizes)
    assert third <= num_examples
    return Pools(order[:first], order[first:second], order[second:third])


def configurations() -> list[dict[str, Any]]:
    """The settings in which trials differ, seeds apart; dense at each T and learning rate."""
    dense = [_cell("dense", T, lr) for T in (2, 4, 8) for lr in (0.1, 0.03)]
    wide = [
        _cell(schedule, 4, 0.1, density, criterion)
        for density in DENSITIES
        for schedule in SCHEDULES
        for criterion in ("snip", "magnitude")
    ]
    slow = [_cell(s, 4, 0.03, d) for d in FEW_DENSITIES for s in ("app", "cubic")]
    cuts = [
        _cell(s, T, 0.1, d) for T in (2, 8) for d in FEW_DENSITIES for s in ("app", "one_shot")
    ]
    return [*dense, *wide, *slow, *cuts]


def _cell(
    schedule: str, num_megabatches: int, lr: float, density: float = 1.0, criterion: str = "snip"
) -> dict[str, Any]:
    settings = {
        "stream.num_megabatches": num_megabatches,
        "pruning.schedule": schedule,
        "training.lr": lr,
    }
    if schedule == "dense":
        return settings
    return {**settings, "pruning.final_density": density, "pruning.criterion": criterion}


def wrong_bits(trial: TrialConfig, dataset: ImageDataset, pool: ImagePool) -> NDArray[np.bool_]:
    """Train, and say after each megabatch which examples of the pool were wrong: ``[T, n]``."""
    assert dataset.test_labels is not None
    num_judges = len(dataset.test_labels)
    learner = assemble(trial, dataset)
    order = np.arange(len(pool), dtype=np.int64)
    found = []
    for record in learner.run():
        if isinstance(record, MegabatchRecord):
            learner.model.eval()
            with torch.inference_mode():
                batches = pool.minibatches(order, batch_size=EVALUATION_BATCH_SIZE)
                wrong = [(learner.model(x).argmax(1) != y).numpy() for x, y in batches]
            found.append(np.concatenate(wrong))
            rate = record.metrics["test_error_rate"]
            assert round(rate * num_judges) == found[-1][:num_judges].sum()
    return np.stack(found)


def row(
    number: int, settings: Flat, seed: int, wrong: NDArray[np.bool_], num_judges: int
) -> pa.Table:
    """One trial's line of the table; the bits of a megabatch follow those of the one before."""
    judges, others = wrong[:, :num_judges], wrong[:, num_judges:]
    return pa.table(
        {
            "configuration": pa.array([number], pa.int16()),
            "num_megabatches": pa.array([settings["stream.num_megabatches"]], pa.int8()),
            "schedule": [settings["pruning.schedule"]],
            "criterion": [settings.get("pruning.criterion", "")],
            "lr": [settings["training.lr"]],
            "final_density": [settings.get("pruning.final_density", 1.0)],
            "seed": pa.array([seed], pa.int8()),
            "judges_wrong": [np.packbits(judges).tobytes()],
            "others_wrong": [np.packbits(others).tobytes()],
        }
    )


def record(recipe: Recipe, root: Path | None, parts: Path) -> Iterator[str]:
    """Train what has no part yet; yields a line a trial."""
    load_builtin_plugins()
    fixed = {**recipe.fixed, **({"data.root": str(root.absolute())} if root else {})}
    whole = load_dataset(dataset_key(_trial(fixed, {"pruning.schedule": "dense"}, 0).data))
    chosen = pools(len(whole.train_labels), recipe)
    judges_and_others = np.concatenate([chosen.judges, chosen.others])
    dataset = dataclasses.replace(
        whole,
        train_images=whole.train_images[chosen.stream],
        train_labels=whole.train_labels[chosen.stream],
        test_images=whole.train_images[chosen.judges],
        test_labels=whole.train_labels[chosen.judges],
    )
    pool = ImagePool(
        whole.train_images[judges_and_others], whole.train_labels[judges_and_others],
        mean=whole.mean, std=whole.std, device=torch.device("cpu"),
    )  # fmt: skip
    numbers = {n: recipe.seeds_of(n, one) for n, one in enumerate(configurations())}
    for seed in range(max(numbers.values())):
        for number, settings in enumerate(configurations()):
            if seed >= numbers[number]:
                continue
            part = parts / f"{number:03d}-{seed:02d}.parquet"
            if not part.exists():
                wrong = wrong_bits(_trial(fixed, settings, seed), dataset, pool)
                _write(row(number, settings, seed, wrong, len(chosen.judges)), part)
                yield f"seed {seed}, configuration {number}: final {wrong[-1].mean():.4f}"


def _trial(fixed: Flat, settings: Flat, seed: int) -> TrialConfig:
    return parse_trial(unflatten({**fixed, **settings, "seed": seed}))


def _write(table: pa.Table, path: Path) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".draft")
    pq.write_table(table, draft, compression="zstd", compression_level=19)
    draft.replace(path)


def join(recipe: Recipe, parts: Path, out: Path) -> int:
    """One file of all parts that are there; returns the number of trials.

    The examples of each pool come in the order in which trials get them wrong, the hardest first:
    so their bits make long runs of the same, and the file is smaller. Who draws from a
    pool draws at random.
    """
    table = pa.concat_tables([pq.read_table(part) for part in sorted(parts.glob("*.parquet"))])
    for name, size in zip(("judges_wrong", "others_wrong"), recipe.sizes[1:], strict=True):
        packed = [np.frombuffer(value, np.uint8) for value in table[name].to_pylist()]
        wrong = [np.unpackbits(bits).reshape(-1, size) for bits in packed]
        hardest_first = np.argsort(-sum(bits.sum(axis=0, dtype=np.int64) for bits in wrong))
        ordered = [np.packbits(bits[:, hardest_first]).tobytes() for bits in wrong]
        table = table.set_column(table.column_names.index(name), name, [ordered])
    _write(table, out)
    return int(table.num_rows)


def main() -> None:
    """Record, then join."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", choices=sorted(RECIPES))
    parser.add_argument("--root", type=Path, help="where MNIST lies")
    parser.add_argument("--parts", type=Path, required=True, help="a file a trial goes here")
    parser.add_argument("--out", type=Path, required=True, help="the table")
    parser.add_argument("--join-only", action="store_true", help="train nothing")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("study").setLevel(logging.ERROR)
    given.parts.mkdir(parents=True, exist_ok=True)
    if not given.join_only:
        with one_thread():
            for line in record(RECIPES[given.data], given.root, given.parts):
                logger.info(line)
    num_trials = join(RECIPES[given.data], given.parts, given.out)
    logger.info("%d trials in %s", num_trials, given.out)


if __name__ == "__main__":
    main()
