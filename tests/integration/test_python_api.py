"""Studies launched from a script: its own Ray and network, an interrupt, and what is left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A script as a user writes one; what it asserts is what is promised.
SCRIPT = """
import logging, os, signal, threading, time
from dataclasses import dataclass

import ray
import torch
from torch import nn

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)

from study.api import launch, list_studies, open_study
from study.models.architecture import ARCHITECTURES, Architecture
from study.results import Outcome

DEPTH = 2


def block(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())


@ARCHITECTURES.register("of_the_script")
@dataclass(frozen=True)
class OfTheScript(Architecture):
    \"\"\"Uses a function and a constant of the script.\"\"\"

    width: int = 8

    def build(self, image_shape, num_classes):
        sizes = [image_shape[0] * image_shape[1] * image_shape[2], *[self.width] * DEPTH]
        blocks = [block(a, b) for a, b in zip(sizes, sizes[1:])]
        return nn.Sequential(nn.Flatten(), *blocks, nn.Linear(self.width, num_classes))


def raw(name, **fixed):
    return {
        "name": name,
        "fixed": {
            "data.dataset": "synthetic", "data.num_examples": 200, "data.num_test_examples": 40,
            "data.image_size": 8, "model.architecture": "of_the_script",
            "pruning.criterion": "magnitude", "pruning.final_density": 0.5,
            "stream.num_megabatches": 2, "training.batch_size": 16, **fixed,
        },
        "axes": {"model.width": [8, 12]},
    }


def state():
    names = [n for n in os.environ if n.startswith(("TUNE_", "RAY_AIR", "RAY_CHDIR", "RAY_USAGE"))]
    return (
        {n: os.environ[n] for n in names},
        [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)],
        [logging.getLogger(n).level for n in ("ray", "ray.tune")],
        torch.get_num_threads(),
    )


launch(raw("first", **{"training.total_samples": 400}), progress=False)  # which imports all
node, before = ray.get_runtime_context().get_node_id(), state()
study = launch(raw("first", **{"training.total_samples": 400}), store="there", progress=False)
assert study.status().state == "finished"
assert ray.is_initialized() and ray.get_runtime_context().get_node_id() == node
assert ray.get(ray.remote(lambda: 7).remote()) == 7
assert state() == before, (state(), before)
assert len(study.runs().trials) == 2

def interrupt():
    # As a notebook's kernel is interrupted: in the middle of a trial.
    while not any(s.state == "running" and s.trials for s in list_studies("late")):
        time.sleep(0.1)
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)


threading.Thread(target=interrupt, daemon=True).start()
long = raw("long", **{"training.total_samples": 60000})
try:
    launch(long, store="late", overrides={"resources.checkpoint_every_s": 1}, progress=False)
except KeyboardInterrupt:
    print("interrupted")
stopped = open_study("long", store="late", progress=False)
assert stopped.status().state == "interrupted", stopped.status().state
assert ray.is_initialized() and state() == before
resumed = stopped.resume()
assert resumed.status().count(Outcome.COMPLETE) == 2
ray.shutdown()
print("all as promised")
"""


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_a_script_has_its_network_studied_on_its_own_ray_which_goes_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.stdout.split() == ["interrupted", "all", "as", "promised"], done.stderr
