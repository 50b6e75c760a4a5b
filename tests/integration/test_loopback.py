"""A Ray of our own can be reached from this machine alone, and only with its token."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, sys
from study.tune.cluster.connection import local_ray
with local_ray():
    import ray

    @ray.remote
    def worker():
        return os.getpid()

    ray.get(worker.remote())
    from tests.helpers.sockets import listening
    sys.stdout.write(json.dumps({
        "listening": sorted(listening(os.getpid())),
        "authentication": os.environ.get("RAY_AUTH_MODE"),
        "node": ray.nodes()[0]["NodeManagerAddress"],
        "dashboard": ray._private.worker._global_node.webui_url,
    }))
"""


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_no_process_of_a_local_ray_listens_beyond_loopback(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["node"] == "127.0.0.1"
    assert not told["dashboard"]
    assert told["authentication"] == "token"
    commands = {command for command, _ in told["listening"]}
    assert {"gcs_server", "raylet"} <= commands
    beyond = [pair for pair in told["listening"] if not pair[1].startswith("127.")]
    assert beyond == []
