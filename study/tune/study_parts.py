"""What a process's run of a study consists of, everything being open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console

from study.config.study_config import StudyConfig
from study.data.dataset import ImageDataset
from study.store.folder import StudyFolder
from study.store.record import Record
from study.store.remote.hold import Hold
from study.tracking.tracker import Tracker
from study.trial.datasets import DatasetKey
from study.trial.program_plugins import UsedPlugin
from study.tune.cluster.ray_restarts import RayRestarts
from study.tune.cluster.resources import TrialResources
from study.tune.worker_deaths import Deaths

if TYPE_CHECKING:
    from study.tune.cluster.nodes import Nodes


@dataclass(frozen=True)
class StudyParts:
    """A study, its store, its tracker, its data, and what it trains on."""

    study: StudyConfig
    folder: StudyFolder
    record: Record
    datasets: Mapping[DatasetKey, ImageDataset]
    tracker: Tracker
    console: Console
    resources: TrialResources | None  # None where nothing is left to train
    nodes: "Nodes | None"  # of a cluster
    hold: Hold | None  # of a store at a URL
    restarts: RayRestarts | None = None  # of the program, where Ray is our own
    owns_ray: bool = False
    sent_plugins: tuple[UsedPlugin, ...] = ()  # which workers cannot import
    deaths: Deaths = field(default_factory=Deaths)
