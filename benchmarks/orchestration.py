"""What Ray, the record and MLflow add to the training itself.

Studies of identical trials (but for the seed), one at a time and two at once, against the same
trials in a plain loop in this process. The three take turns, and each ratio is the median over the
rounds, so that a machine whose speed drifts troubles all alike.
"""

import statistics

from benchmarks.studies import DIGITS, launched, plain_loop, study_of
from benchmarks.table import Figure

SUITE = "orchestration"
CALIBRATION_SAMPLES = 10_000
NUM_EMPTY = 40
TRIALS_OF_ROUND = 4
# One megabatch of one mini-batch of a network of two small layers.
EMPTY = {
    "data.dataset": "digits",
    "model.architecture": "mlp",
    "model.hidden_sizes": [16],
    "pruning.schedule": "dense",
    "stream.num_megabatches": 1,
    "training.total_samples": 64,
    "training.batch_size": 64,
}


def samples_for(seconds: float) -> int:
    """Examples through SGD that take a trial about as long."""
    study = study_of(DIGITS | {"training.total_samples": CALIBRATION_SAMPLES}, num_trials=2)
    return round(CALIBRATION_SAMPLES * seconds / plain_loop(study)[-1])


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: 5 rounds of 4 trials of 15 s instead of 3 of 5 s."""
    num_rounds, seconds = (5, 15.0) if full else (3, 5.0)
    fixed = DIGITS | {"training.total_samples": samples_for(seconds)}
    plain, single, double = [], [], []
    for _ in range(num_rounds):
        plain.append(plain_loop(study_of(fixed, num_trials=TRIALS_OF_ROUND)))
        single.append(launched(study_of(fixed, num_trials=TRIALS_OF_ROUND)))
        double.append(launched(study_of(fixed, num_trials=TRIALS_OF_ROUND, max_concurrent=2)))
    empty = launched(study_of(EMPTY, num_trials=NUM_EMPTY))
    studies = [*single, *double, empty]
    overhead = [one.training / sum(loop) for one, loop in zip(single, plain, strict=True)]
    speedup = [one.training / two.training for one, two in zip(single, double, strict=True)]
    length = statistics.median(taken for loop in plain for taken in loop)
    what = f"{num_rounds} × {TRIALS_OF_ROUND} trials of {length:.0f} s"
    start = statistics.median(study.start for study in studies)
    end = statistics.median(study.end for study in studies)
    return [
        Figure(SUITE, f"{what}: plain loop", sum(map(sum, plain)), "s"),
        Figure(SUITE, f"{what}: studies", sum(study.training for study in single), "s"),
        Figure(SUITE, f"{what}: study / plain", statistics.median(overhead), "×", "≤ 1.05"),
        Figure(
            SUITE,
            f"{what}: throughput of 2 at once / 1",
            statistics.median(speedup),
            "×",
            "≥ 1.8",
        ),
        Figure(SUITE, "command to first training step", start, "s", "≤ 12"),
        Figure(SUITE, "last trial to prompt, with report", end, "s"),
        Figure(SUITE, "empty trial on a reused actor", empty.interval, "s", "< 0.2"),
    ]
