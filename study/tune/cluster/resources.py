"""What trials may use, checked before they start: Tune waits in silence for what never comes."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.study_sections import ResourcesSection
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.errors import StudyError
from study.trial.meta_network import example_cost, meta_model

# Forward and backward through a mini-batch. What is less takes a core of a processor some
# hundredths of a second, and a GPU mostly waits for its next kernel.
WORTH_A_GPU_FLOPS = 1e9


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
        resources: As the study asks for them, GPUs decided (:func:`with_gpus`).
        nodes: CPU and GPU of each node, as Ray counts them.
        elastic: Whether nodes come and go, so that the number is not known beforehand.

    Raises:
        StudyError: Not even one trial fits on any node.
    """
    asked_gpus = _gpus(resources)
    capacity = sum(num_fitting(resources, node) for node in nodes)
    if capacity == 0:
        cpus = max((n.get("CPU", 0) for n in nodes), default=0)
        gpus = max((n.get("GPU", 0) for n in nodes), default=0)
        raise StudyError(
            f"no node can run a trial: it asks for {resources.cpus_per_trial} CPUs and "
            f"{asked_gpus:g} GPUs, the largest node has {cpus:g} and {gpus:g}; "
            f"lower resources.cpus_per_trial or resources.gpus_per_trial"
        )
    max_concurrent = None if elastic else min(resources.max_concurrent or capacity, capacity)
    return TrialResources(resources.cpus_per_trial, asked_gpus, max_concurrent)


def num_fitting(resources: ResourcesSection, node: Mapping[str, float]) -> int:
    """How many trials fit on a node at once."""
    by_cpu = int(node.get("CPU", 0) // resources.cpus_per_trial)
    asked_gpus = _gpus(resources)
    if asked_gpus == 0:
        return by_cpu
    # Ray packs fractions only within one GPU: two trials of 0.6 do not share 1.2.
    per_gpu = int(1 / asked_gpus + 1e-9) if asked_gpus <= 1 else 0
    num_gpus = int(node.get("GPU", 0))
    by_gpu = num_gpus * per_gpu if per_gpu else int(num_gpus // asked_gpus)
    return min(by_cpu, by_gpu)


def with_gpus(
    resources: ResourcesSection,
    nodes: Sequence[Mapping[str, float]],
    *,
    is_worth_one: Callable[[], bool],
) -> tuple[ResourcesSection, str]:
    """The same, with ``gpus_per_trial`` decided where it is left open.

    Args:
        resources: As the study asks for them.
        nodes: CPU and GPU of each node, as Ray counts them.
        is_worth_one: Whether a trial's network is worth a GPU; asked where there are any.

    Returns:
        The resources, and what was decided, for people; empty where there was nothing to decide.
    """
    if resources.gpus_per_trial is not None:
        return resources, ""
    has_gpus = any(node.get("GPU", 0) >= 1 for node in nodes)
    takes_one = has_gpus and is_worth_one()
    said = ""
    if takes_one:
        said = "Each trial takes a GPU (resources.gpus_per_trial: 0 hides them)."
    elif has_gpus:
        said = (
            "Trials leave the GPUs alone, since their networks are too small to gain by one "
            "(resources.gpus_per_trial: 1 takes one)."
        )
    return resources.model_copy(update={"gpus_per_trial": float(takes_one)}), said


def is_worth_a_gpu(trial: TrialConfig, dataset: ImageDataset) -> bool:
    """Whether a trial trains on a GPU where its study leaves it open.

    ``training.device`` says so, or else what a mini-batch of the dense network takes.
    """
    training = trial.training
    if training.device != "auto":
        return training.device == "cuda"
    each = example_cost(meta_model(trial, dataset), dataset)
    return training.batch_size * each.flops >= WORTH_A_GPU_FLOPS


def _gpus(resources: ResourcesSection) -> float:
    assert resources.gpus_per_trial is not None, "GPUs are decided before trials are counted"
    return resources.gpus_per_trial


def limit_process(cpus: int, *, sees_gpus: bool) -> None:
    """Let this process train as a trial may: with so many threads, and GPUs only if it has some.

    To be called before anything asks for a GPU.
    """
    import torch

    if not sees_gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(cpus)
