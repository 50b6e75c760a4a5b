"""What Ray, the record and MLflow add to the training itself.

A study of identical trials (but for the seed) against the same trials in a plain loop in this
process: one half of the loop before the study and one after it, so that a machine whose speed
drifts troubles both alike.
"""

import statistics

from benchmarks.studies import DIGITS, launched, plain_loop, study_of
from benchmarks.table import Figure

SUITE = "orchestration"
CALIBRATION_SAMPLES = 10_000
NUM_EMPTY = 40
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
    """All figures of this suite; ``full``: 20 trials of 15 s instead of 6 of 5 s."""
    num_trials, seconds = (20, 15.0) if full else (6, 5.0)
    fixed = DIGITS | {"training.total_samples": samples_for(seconds)}
    half = study_of(fixed, num_trials=num_trials // 2)
    plain = plain_loop(half)
    one_by_one = launched(study_of(fixed, num_trials=num_trials))
    plain += plain_loop(half)
    two_at_once = launched(study_of(fixed, num_trials=num_trials, max_concurrent=2))
    empty = launched(study_of(EMPTY, num_trials=NUM_EMPTY))
    start = statistics.median(ended.start for ended in (one_by_one, two_at_once, empty))
    end = statistics.median(ended.end for ended in (one_by_one, two_at_once, empty))
    what = f"{num_trials} trials of {statistics.median(plain):.0f} s"
    return [
        Figure(SUITE, f"{what}: plain loop", sum(plain), "s"),
        Figure(SUITE, f"{what}: study", one_by_one.training, "s"),
        Figure(SUITE, f"{what}: study / plain", one_by_one.training / sum(plain), "×", "≤ 1.05"),
        Figure(
            SUITE,
            f"{what}: throughput of 2 at once / 1",
            one_by_one.training / two_at_once.training,
            "×",
            "≥ 1.8",
        ),
        Figure(SUITE, "command to first training step", start, "s", "≤ 12"),
        Figure(SUITE, "last trial to prompt, with report", end, "s"),
        Figure(SUITE, "empty trial on a reused actor", empty.interval, "s", "< 0.2"),
    ]
