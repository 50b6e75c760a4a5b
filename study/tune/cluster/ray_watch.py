"""Whether Ray lives, found without asking Ray: its calls wait a minute for a dead one."""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

_EVERY_S = 1.0
_CONNECT_S = 2.0
# A host that is gone refuses nothing; one that is busy does not answer each time.
_MOST_UNANSWERED = 5
_STUCK_S = 10.0
_EXIT_CODE = 2

Address = tuple[str, int]


class RayDiedError(BaseException):
    """Ray has died while the study runs.

    No Exception, for which Tune would first wait for its actors: before that is over Ray ends the
    whole process in silence.
    """


class RayWatch:
    """Watches Ray's processes from a thread, since the main one may wait within Ray.

    Args:
        processes: Where each process of Ray that a study cannot do without listens, by its name.
        when_stuck: Called with why Ray is dead if the main thread has not left the watch 10
            seconds after: it waits within Ray, which would end the process in silence. The
            process ends with exit code 2 afterwards.
    """

    def __init__(self, processes: dict[str, Address], when_stuck: Callable[[str], object]) -> None:
        self._processes = processes
        self._when_stuck = when_stuck
        self._unanswered = dict.fromkeys(processes, 0)
        self._why = ""
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ray-watch", daemon=True)

    def __enter__(self) -> "RayWatch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self._thread.join()

    def check(self) -> None:
        """Check what the thread has found.

        Raises:
            RayDiedError: A process of Ray is gone.
        """
        if self._why:
            raise RayDiedError(self._why)

    def look(self) -> str:
        """Why Ray is dead, found now; empty while it lives."""
        for name, address in self._processes.items():
            if is_gone := self._is_gone(name, address):
                self._why = self._why or is_gone
        return self._why

    def _is_gone(self, name: str, address: Address) -> str:
        try:
            with socket.create_connection(address, timeout=_CONNECT_S):
                self._unanswered[name] = 0
        except ConnectionRefusedError:
            return f"its process {name} is gone"
        except OSError:
            self._unanswered[name] += 1
            if self._unanswered[name] >= _MOST_UNANSWERED:
                return f"its process {name} at {address[0]} does not answer"
        return ""

    def _run(self) -> None:
        while not self._left.wait(_EVERY_S):
            if self.look():
                break
        if self._why and not self._left.wait(_STUCK_S):
            self._when_stuck(self._why)
            os._exit(_EXIT_CODE)


def watched_processes() -> dict[str, Address]:
    """Of the Ray that is open: its control service (GCS), and this machine's raylet."""
    import ray

    if ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]  # Ray's
        return {}  # through a proxy, which is another machine's
    context = ray.get_runtime_context()
    host, _, port = context.gcs_address.rpartition(":")
    found = {"gcs_server": (host.strip("[]"), int(port))}
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    for node in nodes:
        if node["NodeID"] == context.get_node_id() and node["Alive"]:
            found["raylet"] = (node["NodeManagerAddress"], node["NodeManagerPort"])
    return found


def kill_rest_of_ray() -> None:
    """Kill the processes of a Ray of our own that has died, for which its shutdown would wait."""
    import ray

    node = ray._private.worker._global_node
    if node is not None:
        node.kill_all_processes(check_alive=False, allow_graceful=False)
