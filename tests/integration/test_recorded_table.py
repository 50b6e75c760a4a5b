"""A row of a recorded table is what its trial gives again, on kernels that every processor has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "benchmarks" / "tables" / "digits_bounded.parquet"
# The instructions that all x86-64 processors share; else sums are added in another order.
PORTABLE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "1"}
ROWS = (0, 1, 2)
PROGRAM = """
import json, sys
from pathlib import Path
from study.config.plugins import load_builtin_plugins
load_builtin_plugins()
from study.config.trial import parse_trial
from study.results import MegabatchRecord
from study.simulation.table import CURVES, read_table
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset

def told(megabatches):
    return [{n: m.metrics[n] for n in CURVES if n in m.metrics} for m in megabatches]

rows = read_table(Path(sys.argv[1])).rows
compared = []
for index in map(int, sys.argv[2:]):
    trial = parse_trial(rows[index].config)
    learner = assemble(trial, load_dataset(dataset_key(trial.data)))
    again = [r for r in learner.run() if isinstance(r, MegabatchRecord)]
    compared.append([told(again), told(rows[index].history.megabatches)])
sys.stdout.write(json.dumps(compared))
"""


def test_a_recorded_trial_run_again_gives_the_row_of_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(TABLE), *map(str, ROWS)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **PORTABLE},
    )
    assert done.returncode == 0, done.stderr
    compared = json.loads(done.stdout)
    assert len(compared) == len(ROWS)
    for again, recorded in compared:
        assert len(again) == len(recorded) > 0
        for metrics, was in zip(again, recorded, strict=True):
            # How many examples are wrong, to the last one.
            assert metrics["cumulative_errors"] == was["cumulative_errors"]
            assert metrics == pytest.approx(was, rel=1e-12)
