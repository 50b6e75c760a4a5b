"""A real Ray cluster on this machine, on loopback, whose nodes come and go."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own
    from ray.cluster_utils import Cluster

# Nodes meet on loopback; what they write is theirs, and nobody's `auto` finds them.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class RayCluster:
    """A head without room for trials, and nodes that are pretended to have GPUs."""

    def __init__(self, cluster: Cluster, environment: dict[str, str]) -> None:
        self._cluster = cluster
        self.environment = environment
        self.address = str(cluster.address)

    def add(self, *, cpus: int = 2, gpus: int = 1, **variables: str) -> Any:
        """A node of its own processes, with these environment variables of its own."""
        with mock.patch.dict(os.environ, self.environment | variables):
            return self._cluster.add_node(
                num_cpus=cpus, num_gpus=gpus, node_ip_address="127.0.0.1"
            )

    def kill(self, node: Any) -> None:
        """Take a node away as a power cut does."""
        self._cluster.remove_node(node, allow_graceful=False)

    @staticmethod
    def id_of(node: Any) -> str:
        return str(node.node_id)


@contextlib.contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """A cluster with a head alone."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        # Sockets' paths must be short; pytest's are not.
        environment = {**LOOPBACK, "RAY_TMPDIR": folder}
        with mock.patch.dict(os.environ, environment):
            cluster = Cluster(
                initialize_head=True,
                head_node_args={
                    "num_cpus": 0,
                    "node_ip_address": "127.0.0.1",
                    "include_dashboard": False,
                },
            )
            try:
                yield RayCluster(cluster, {**environment})
            finally:
                cluster.shutdown()
                assert Path(folder).is_dir()
