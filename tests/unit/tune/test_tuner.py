"""Ray counts callbacks without MLflow, and what it has of it is afterwards as before."""

import subprocess
import sys

_BEFORE = """
import sys
from study.tune.tuner import without_rays_mlflow
from ray.air._internal.usage import tag_callbacks
"""
_COUNTED = """
from ray.tune import Callback
with without_rays_mlflow():
    tag_callbacks([Callback()])
    assert 'ray.air.integrations.mlflow' in sys.modules
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ray_counts_callbacks_without_importing_mlflow() -> None:
    run(f"{_BEFORE}{_COUNTED}assert 'mlflow' not in sys.modules")


def test_afterwards_rays_integration_is_whole() -> None:
    run(
        f"{_BEFORE}{_COUNTED}"
        "from ray.air.integrations import mlflow as found\n"
        "import ray.air.integrations.mlflow as again\n"
        "assert again is found and found.mlflow is not None\n"
        "assert sys.modules['mlflow'] is found.mlflow"
    )


def test_what_somebody_uses_already_is_left_alone() -> None:
    run(
        f"{_BEFORE}import ray.air.integrations.mlflow as used\n{_COUNTED}"
        "assert sys.modules['ray.air.integrations.mlflow'] is used and used.mlflow is not None"
    )
