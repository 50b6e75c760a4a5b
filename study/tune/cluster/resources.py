"""What trials may use, checked before they start: Tune waits in silence for what never comes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.study_sections import ResourcesSection
from study.errors import StudyError


@dataclass(frozen=True)
class TrialResources:
    """What each trial gets, and how many run at once: None where nodes come and go."""

    cpus: int
    gpus: float
    max_concurrent: int | None

    def placement(self, config: Mapping[str, Any]) -> Any:
        """Tune's resource request for a trial: on any node but those to ``avoid``."""
        from ray.tune import PlacementGroupFactory

        options: dict[str, Any] = {}
        if avoid := config.get("avoid"):
            options["bundle_label_selector"] = [{"ray.io/node-id": f"!in({','.join(avoid)})"}]
        return PlacementGroupFactory([{"CPU": self.cpus, "GPU": self.gpus}], **options)


def trial_resources(
    resources: ResourcesSection, nodes: Sequence[Mapping[str, float]], *, elastic: bool = False
) -> TrialResources:
    """How many trials fit on these nodes.

    Args:
        resources: As the study asks for them.
        nodes: CPU and GPU of each node, as Ray counts them.
        elastic: Whether nodes come and go, so that the number is not known beforehand.

    Raises:
        StudyError: Not even one trial fits on any node.
    """
    capacity = sum(num_fitting(resources, node) for node in nodes)
    if capacity == 0:
        cpus = max((n.get("CPU", 0) for n in nodes), default=0)
        gpus = max((n.get("GPU", 0) for n in nodes), default=0)
        raise StudyError(
            f"no node can run a trial: it asks for {resources.cpus_per_trial} CPUs and "
            f"{resources.gpus_per_trial:g} GPUs, the largest node has {cpus:g} and {gpus:g}; "
            f"lower resources.cpus_per_trial or resources.gpus_per_trial"
        )
    max_concurrent = None if elastic else min(resources.max_concurrent or capacity, capacity)
    return TrialResources(resources.cpus_per_trial, resources.gpus_per_trial, max_concurrent)


def num_fitting(resources: ResourcesSection, node: Mapping[str, float]) -> int:
    """How many trials fit on a node at once."""
    by_cpu = int(node.get("CPU", 0) // resources.cpus_per_trial)
    if resources.gpus_per_trial == 0:
        return by_cpu
    # Ray packs fractions only within one GPU: two trials of 0.6 do not share 1.2.
    per_gpu = int(1 / resources.gpus_per_trial + 1e-9) if resources.gpus_per_trial <= 1 else 0
    num_gpus = int(node.get("GPU", 0))
    by_gpu = num_gpus * per_gpu if per_gpu else int(num_gpus // resources.gpus_per_trial)
    return min(by_cpu, by_gpu)


def limit_process(cpus: int, *, sees_gpus: bool) -> None:
    """Let this process train as a trial may: with so many threads, and GPUs only if it has some.

    To be called before anything asks for a GPU.
    """
    import torch

    if not sees_gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(cpus)
