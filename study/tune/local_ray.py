"""A Ray of our own on this machine, on loopback, without dashboard and without noise."""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from study.signals import terminated_as_interrupted

# Ray reads these when it is imported: it is, below, only once they are set.
RAY_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # our own display, not Tune's
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # results go to the record and to MLflow
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # trial metrics exist at the end only
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative plug-ins and data are the user's
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
# Ray listens on loopback alone where it thinks itself unfit for clusters, as on macOS; elsewhere
# its ports would be open to the network. For a Ray of our own only: a cluster's nodes must meet.
_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@contextlib.contextmanager
def local_ray() -> Iterator[None]:
    """Start Ray on this machine, and end it."""
    # Nothing is imported ahead into the workers that Ray starts with: Tune's trials have a runtime
    # environment and so always get workers of their own.
    with opened_ray(RAY_SETTINGS | _ON_LOOPBACK, address="local", include_dashboard=False):
        yield


@contextlib.contextmanager
def opened_ray(settings: Mapping[str, str], **options: Any) -> Iterator[None]:
    """Ray with these environment variables and options of ``ray.init``, in silence."""
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    import ray

    ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    # What goes wrong in a trial is told as the trial's reason, not as Tune's log.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    try:
        with terminated_as_interrupted():
            yield
    finally:
        ray.shutdown()


def alive_nodes() -> list[dict[str, float]]:
    """CPU and GPU of each node, as Ray counts them."""
    return [node["Resources"] for node in nodes_alive()]


def nodes_alive() -> list[dict[str, Any]]:
    """All that Ray says of each node that is alive."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    return [node for node in nodes if node["Alive"]]
