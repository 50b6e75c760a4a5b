"""What trials may use, checked before they start: Tune waits in silence for what never comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.config.study import ResourcesSection
from study.tune.errors import StudyError


@dataclass(frozen=True)
class TrialResources:
    """What each trial gets, and how many run at once."""

    cpus: int
    gpus: float
    max_concurrent: int

    def as_request(self) -> dict[str, float]:
        """The form that Ray takes."""
        return {"cpu": self.cpus, "gpu": self.gpus}


def trial_resources(
    asked: ResourcesSection, nodes: Sequence[Mapping[str, float]]
) -> TrialResources:
    """How many trials fit on these nodes.

    Args:
        asked: From the study.
        nodes: CPU and GPU of each node, as Ray counts them.

    Raises:
        StudyError: Not even one trial fits on any node.
    """
    fitting = [_num_fitting(asked, node) for node in nodes]
    room = sum(fitting)
    if room == 0:
        cpus = max((n.get("CPU", 0) for n in nodes), default=0)
        gpus = max((n.get("GPU", 0) for n in nodes), default=0)
        raise StudyError(
            f"no node can run a trial: it asks for {asked.cpus_per_trial} CPUs and "
            f"{asked.gpus_per_trial:g} GPUs, the largest node has {cpus:g} and {gpus:g}; lower "
            f"resources.cpus_per_trial or resources.gpus_per_trial"
        )
    return TrialResources(
        cpus=asked.cpus_per_trial,
        gpus=asked.gpus_per_trial,
        max_concurrent=min(asked.max_concurrent or room, room),
    )


def _num_fitting(asked: ResourcesSection, node: Mapping[str, float]) -> int:
    by_cpu = int(node.get("CPU", 0) // asked.cpus_per_trial)
    if asked.gpus_per_trial == 0:
        return by_cpu
    # Ray packs fractions only within one GPU: two trials of 0.6 do not share 1.2.
    per_gpu = int(1 / asked.gpus_per_trial + 1e-9) if asked.gpus_per_trial <= 1 else 0
    num_gpus = int(node.get("GPU", 0))
    by_gpu = num_gpus * per_gpu if per_gpu else int(num_gpus // asked.gpus_per_trial)
    return min(by_cpu, by_gpu)
