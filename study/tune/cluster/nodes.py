"""A cluster's nodes: whether each has what trials need, before they train there."""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.config.plugins import load_builtin_plugins, load_user_plugins
from study.config.study_sections import ResourcesSection
from study.data.dataset import DataError, ImageDataset
from study.errors import StudyError
from study.store.remote.remote import Remote
from study.trial.datasets import DatasetKey, found_here, load_dataset
from study.tune.cluster.connection import nodes_alive
from study.tune.cluster.resources import num_fitting

_KEEPER_WAIT_S = 60.0
_TOKEN_FILE = ".session"


@dataclass(frozen=True)
class NodeDemands:
    """What a node must have.

    Attributes:
        folder: The study's, which all nodes must share or reach.
        token: What the driver wrote there.
        sources: Data set and its digest by label, for data that is found on each node.
    """

    folder: Path | Remote
    token: str
    plugins: tuple[str, ...]
    sources: Mapping[str, tuple[DatasetKey, str]]

    @classmethod
    def from_datasets(
        cls,
        folder: Path | Remote,
        plugins: tuple[str, ...],
        datasets: Mapping[str, tuple[DatasetKey, ImageDataset]],
    ) -> "NodeDemands":
        """The demands of a study whose data, by label, are found on each node; on disk."""
        token = secrets.token_hex(16)
        (folder / _TOKEN_FILE).write_text(token, encoding="utf-8")
        sources = {label: (key, data.digest()) for label, (key, data) in datasets.items()}
        return cls(folder, token, plugins, sources)


class NodeKeeper:
    """An actor on each node: checks it once, and holds its one copy of each data set."""

    def __init__(self, demands: NodeDemands) -> None:
        self._demands = demands
        self._found: str | None = None
        self._datasets: dict[str, ray.ObjectRef[ImageDataset]] = {}

    def problem(self) -> str:
        """What the node lacks; empty if nothing."""
        if self._found is None:
            self._found = storage_problem(self._demands) or self._data_problem()
        return self._found

    def dataset(self, label: str) -> "list[ray.ObjectRef[ImageDataset]]":
        """Where the data set lies in the node's shared memory."""
        self.problem()
        return [self._datasets[label]]

    def _data_problem(self) -> str:
        load_builtin_plugins()
        load_user_plugins(self._demands.plugins)
        for label, (key, digest) in self._demands.sources.items():
            try:
                here = found_here(key)
                dataset = load_dataset(here)
            except DataError as error:
                return str(error)
            if dataset.digest() != digest:
                return (
                    f"data.root: the data set {key.name!r} in {here.root} is not the one that the "
                    f"study was launched with; copy it anew"
                )
            self._datasets[label] = ray.put(dataset)
        return ""


def storage_problem(demands: NodeDemands) -> str:
    """Why other nodes could not read the checkpoints of trials here; empty if they can."""
    try:
        text = (demands.folder / _TOKEN_FILE).read_text(encoding="utf-8")
    except OSError as error:
        text = f"({error.strerror or error})"
    if text != demands.token:
        why = f" {text}" if text.startswith("(") else ""
        if isinstance(demands.folder, Remote):
            return (
                f"the study's folder {demands.folder} cannot be read{why}; every node needs the "
                f"URL's driver and what the driver has to know to reach it, such as credentials"
            )
        return (
            f"the study's folder {demands.folder} is not there{why}; put the studies on a file "
            f"system that every node mounts at the same path (--store, resources.storage_path)"
        )
    mine = demands.folder / f"{_TOKEN_FILE}-{secrets.token_hex(8)}"
    try:
        mine.write_text(demands.token, encoding="utf-8")
        mine.unlink()
    except OSError as error:
        reason = error.strerror or error
        return f"the study's folder {demands.folder} cannot be written ({reason})"
    return ""


def keeper_name(node_id: str) -> str:
    """The name of a node's keeper, within the study's Ray job."""
    return f"node-keeper-{node_id}"


def node_keeper() -> Any:
    """The keeper of the node that this process runs on, for a trial.

    Raises:
        ValueError: The driver has put none there, which it does within seconds.
    """
    name = keeper_name(ray.get_runtime_context().get_node_id())
    end = time.monotonic() + _KEEPER_WAIT_S
    while True:
        try:
            return ray.get_actor(name)
        except ValueError:
            if time.monotonic() > end:
                raise
            time.sleep(0.25)


class Nodes:
    """The nodes that trials may run on, as the driver knows them; they come and go.

    Attributes:
        unfit: Problem by id, of nodes that joined without having what trials need.
    """

    def __init__(self, demands: NodeDemands, resources: ResourcesSection) -> None:
        self.unfit: dict[str, str] = {}
        self._demands = demands
        self._resources = resources
        self._names: dict[str, str] = {}
        self._capacities: dict[str, int] = {}
        self._keepers: dict[str, Any] = {}
        self._checks: dict[str, Any] = {}

    @property
    def max_trials(self) -> int:
        """How many trials may be pending or running: ``max_concurrent``, or all that fit and one.

        The one that waits is there when a node joins, and has a cluster that can grow do so.
        """
        fit = (number for node, number in self._capacities.items() if node not in self.unfit)
        return self._resources.max_concurrent or sum(fit) + 1

    def check(self) -> None:
        """Check every node that there is.

        Raises:
            StudyError: With every node that lacks something.
        """
        self._add_new(nodes_alive())
        found = [(node_id, self._result(node_id)) for node_id in list(self._checks)]
        problems = [f"node {self._names[node_id]}: {text}" for node_id, text in found if text]
        if problems:
            raise StudyError("; ".join(problems))

    def update(self) -> Iterator[str]:
        """Notices of nodes that have joined or left; to be called every second or so."""
        nodes = nodes_alive()
        for node_id in set(self._names) - {node["NodeID"] for node in nodes}:
            yield f"node {self._names.pop(node_id)} is gone; its trials continue on other nodes"
            for known in (self.unfit, self._capacities, self._keepers, self._checks):
                known.pop(node_id, None)
        self._add_new(nodes)
        for node_id, check in list(self._checks.items()):
            if ray.wait([check], timeout=0)[0]:
                problem = self._result(node_id)
                yield self.exclude(node_id, problem) or f"node {self._names[node_id]} has joined"

    def exclude(self, node_id: str, problem: str) -> str:
        """Give a node no trials from now on; a notice, which is empty the second time."""
        if not problem or node_id in self.unfit:
            return ""
        self.unfit[node_id] = problem
        return f"node {self._names.get(node_id, node_id)} gets no trials: {problem}"

    def _add_new(self, nodes: list[dict[str, Any]]) -> None:
        for node in nodes:
            node_id, capacity = node["NodeID"], num_fitting(self._resources, node["Resources"])
            if node_id in self._names or capacity == 0:
                continue
            self._capacities[node_id] = capacity
            self._names[node_id] = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            affinity = NodeAffinitySchedulingStrategy(node_id, soft=False)
            keeper = ray.remote(NodeKeeper).options(
                name=keeper_name(node_id),
                num_cpus=0,
                scheduling_strategy=affinity,
                max_restarts=-1,
            )
            self._keepers[node_id] = keeper.remote(self._demands)
            self._checks[node_id] = self._keepers[node_id].problem.remote()

    def _result(self, node_id: str) -> str:
        try:
            return str(ray.get(self._checks.pop(node_id)))
        except RayError as error:
            if all(node["NodeID"] != node_id for node in nodes_alive()):
                return ""  # it has left, which is no fault
            return f"no worker could be started there: {str(error).strip().splitlines()[-1]}"
