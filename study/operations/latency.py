"""Networks timed on this machine, beside what their study had found on its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.export.card import ModelCard
from study.measurement.exported import exported_latency
from study.measurement.network import LatencyFound, network_latency
from study.operations.opened_study import OpenedStudy
from study.store.record import RecordedTrial


@dataclass(frozen=True)
class LatencyHere:
    """A network's latency here and in its study.

    Attributes:
        title: What it is, with its trial's number.
        here: As measured just now.
        recorded: The metrics that the study has of it.
        recorded_with: By what it had measured them; empty where it had not.
    """

    title: str
    here: LatencyFound
    recorded: Mapping[str, float]
    recorded_with: str


def trials_latency(
    opened: OpenedStudy,
    chosen: Sequence[RecordedTrial],
    *,
    threads: int | None,
    batch_sizes: Sequence[int],
) -> Iterator[LatencyHere]:
    """The networks of complete trials, as their study measures them.

    Args:
        opened: Their study.
        chosen: Of its trials.
        threads: As many as a trial has where it is None.
        batch_sizes: Images that are answered at once.

    Raises:
        ExportError: A trial's checkpoint is gone.
    """
    for recorded in chosen:
        model = opened.final_model(recorded)
        found = network_latency(
            model.network,
            model.source.network,
            threads=threads or opened.study.resources.cpus_per_trial,
            batch_sizes=batch_sizes,
        )
        yield LatencyHere(
            f"Trial {recorded.number}, {model.source.title}",
            found,
            recorded.final_values,
            recorded.history.measured_with,
        )


def folders_latency(
    folders: Sequence[Path], *, threads: int | None, batch_sizes: Sequence[int]
) -> Iterator[LatencyHere]:
    """Models in folders that ``app-study export`` wrote; one thread where ``threads`` is None.

    Raises:
        ExportError: A folder holds no model that can run here.
    """
    for folder in folders:
        card, found = exported_latency(folder, threads=threads or 1, batch_sizes=batch_sizes)
        yield LatencyHere(_title(card, folder), found, card.metrics, card.measured_with)


def _title(card: ModelCard, folder: Path) -> str:
    return f"{folder}: {card.study} {card.name}, {card.title}"
