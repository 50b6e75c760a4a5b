"""The card of a model: what it is, made from what, and how good; for programs and for people."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study import __version__
from study.config.trial import TrialConfig
from study.export.network import NetworkSpec
from study.results import LayerDensity, MegabatchRecord

CARD_SCHEMA = "1"
UNLICENSED = "not stated"


@dataclass(frozen=True)
class Removal:
    """Channels that pruning had cut off, and that are not in the file.

    Attributes:
        num_channels, of_channels: Removed and all; channels that fall together are one.
        num_weights, of_them_kept: Prunable weights that went with them, and those of them that
            pruning had kept.
        reason: Why none were looked for or left out; empty where they were.
    """

    num_channels: int = 0
    of_channels: int = 0
    num_weights: int = 0
    of_them_kept: int = 0
    reason: str = ""

    def sentence(self) -> str:
        """All of it, in words."""
        if self.reason:
            return f"Channels that pruning may have cut off are still there: {self.reason}."
        if not self.num_channels:
            return f"Pruning has cut off none of its {self.of_channels:,} channels."
        return (
            f"Pruning has cut off {self.num_channels:,} of its {self.of_channels:,} channels: "
            f"they changed no logit and are removed, and with them {self.num_weights:,} weights "
            f"({self.of_them_kept:,} of them kept)."
        )


@dataclass(frozen=True)
class ModelCard:
    """Everything that is known of a model, and how its file is read.

    Attributes:
        format: Name of the export format.
        study, trial_key, trial_number, title: Where it comes from.
        megabatch_index: 0-based; the megabatch after which it went into service.
        config: The trial's whole configuration, nested.
        metrics: Of that megabatch, and of the trial where it is its last.
        split_sizes: Examples of ``holdout`` and ``test``; 0 where there is none.
        layers: The sparsity ledger.
        licence: The user's word on it.
        measured_with: Runtime, threads and processor of the latency among the metrics.
        removal: Of channels that pruning had cut off; None in cards of before it was done.
    """

    format: str
    network: NetworkSpec
    study: str
    trial_key: str
    trial_number: int
    title: str
    megabatch_index: int
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    split_sizes: Mapping[str, int]
    layers: tuple[LayerDensity, ...]
    licence: str = UNLICENSED
    measured_with: str = ""
    removal: Removal | None = None
    version: str = __version__
    schema: str = field(default=CARD_SCHEMA)

    @classmethod
    def from_record(
        cls,
        source: "ModelSource",
        record: MegabatchRecord,
        *,
        format_name: str,
        licence: str = UNLICENSED,
        removal: Removal | None = None,
    ) -> "ModelCard":
        """The card of the model that ``record`` reports, without the place of its data."""
        config = source.trial.to_dict()
        config["data"] |= {"root": None, "arrivals": source.trial.data.arrival_names}
        return cls(
            format=format_name,
            network=source.network,
            study=source.study,
            trial_key=source.trial.key(),
            trial_number=source.trial_number,
            title=source.title,
            megabatch_index=record.megabatch_index,
            config=config,
            metrics={**record.metrics, **record.summary},
            split_sizes=source.split_sizes,
            layers=record.layers,
            licence=licence,
            measured_with=record.measured_with,
            removal=removal,
        )

    @property
    def name(self) -> str:
        """Within its study: ``trial 3 megabatch 7``, counted as in the reports from 0."""
        return f"trial {self.trial_number} megabatch {self.megabatch_index}"

    def to_json(self) -> str:
        """Read back by :meth:`from_json` to an equal card, lists of the config apart."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """The card that :meth:`to_json` wrote.

        Raises:
            ValueError: The text is no card.
        """
        try:
            raw = json.loads(text)
            network = NetworkSpec.from_dict(raw["network"])
            layers = tuple(LayerDensity(**layer) for layer in raw["layers"])
            removal = Removal(**raw["removal"]) if raw.get("removal") else None
            return cls(**{**raw, "network": network, "layers": layers, "removal": removal})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no model card of schema {CARD_SCHEMA}: {error}") from None


@dataclass(frozen=True)
class ModelSource:
    """What the models of one trial have in common."""

    study: str
    trial: TrialConfig
    trial_number: int
    title: str
    network: NetworkSpec
    split_sizes: Mapping[str, int]
