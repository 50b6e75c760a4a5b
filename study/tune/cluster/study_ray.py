"""The Ray of one study after the other: one of its own, a cluster's, or one that is there."""

import contextlib
from collections.abc import Sequence

from study.config.addresses import LOCAL
from study.errors import StudyError
from study.tune.cluster.connection import RAY_SETTINGS, alive_nodes, is_open, ray_session, tuning
from study.tune.cluster.ray_restarts import RayRestarts


class StudyRay(contextlib.ExitStack):
    """Ray for the studies of a process; a context manager that ends what it has opened.

    Where the process, such as a notebook, has started or joined a Ray before, that is used and
    left running.

    Attributes:
        is_found: Whether it was there; None before it is needed.
        restarts: Of the program, should a Ray of its own die; None where the process is another's,
            as a notebook's.
    """

    is_found: bool | None = None
    restarts: RayRestarts | None = None

    def open(self, address: str, plugins: Sequence[str]) -> None:
        """Start or join Ray where that is not done yet.

        Args:
            address: From :func:`study.tune.cluster.connection.chosen_address`.
            plugins: Modules of the user's, which a cluster's nodes are sent.

        Raises:
            StudyError: It cannot be started or joined, or the one that is there cannot be used.
        """
        if self.is_found is None:
            self.is_found = is_open()
            session = _found_ray() if self.is_found else ray_session(address, plugins)
            self.enter_context(session)

    def is_cluster(self, address: str) -> bool:
        """Whether trials may run on other machines."""
        return address != LOCAL or bool(self.is_found and len(alive_nodes()) > 1)


def _found_ray() -> contextlib.AbstractContextManager[None]:
    import ray

    if ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]  # Ray's
        raise StudyError(
            "this process has joined a Ray cluster as a client (ray://), through which no study "
            "can be run; call ray.shutdown() and ray.init(address='auto') on a node of the cluster"
        )
    return tuning(RAY_SETTINGS)
