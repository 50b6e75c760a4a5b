"""The model of a trial, and its way into a folder that others can use."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.errors import ExportError
from study.export.card import UNLICENSED, ModelCard, ModelSource
from study.export.folder import check_replaceable, load_model, replaced, write_model
from study.export.formats import format_called
from study.export.network import Images, NetworkSpec, allowed_difference, logits_of
from study.export.smallest import smallest
from study.pruning.mask import Mask
from study.results import MegabatchRecord
from study.training.checkpoint import CheckpointFolder
from study.trial.assembly import split
from study.trial.titles import title_of

_NUM_SAMPLES = 32


@dataclass(frozen=True)
class TrialModel:
    """The model in service after a megabatch, masks folded in.

    Attributes:
        network: In evaluation mode, on the CPU; its pruned weights are zero, or gone.
        mask: In the shapes that the network was built with.
        sample: A few images that it never trained on, to be compared by.
    """

    source: ModelSource
    record: MegabatchRecord
    network: nn.Module
    mask: Mask
    sample: Images


def model_source(
    trial: TrialConfig, dataset: ImageDataset, *, study: StudyConfig, number: int
) -> ModelSource:
    """What the models of a trial have in common."""
    splits = split(trial, dataset)
    return ModelSource(
        study=study.name,
        trial=trial,
        trial_number=number,
        title=title_of(trial.to_dict(), study.differing),
        network=NetworkSpec.from_trial(trial, dataset, study.plugins),
        split_sizes={"holdout": len(splits.holdout), "test": len(splits.test)},
    )


def final_model(
    source: ModelSource, record: MegabatchRecord, dataset: ImageDataset, trial_folder: Path
) -> TrialModel:
    """The model at the end of a trial, from its newest checkpoint.

    Args:
        source: Of the trial.
        record: Of its last megabatch.
        dataset: What it was trained on.
        trial_folder: Where its checkpoints are.

    Raises:
        ExportError: The checkpoint is gone, or is not the end of the trial.
    """
    state = CheckpointFolder(trial_folder / "checkpoints").load_latest()
    if state is None:
        raise ExportError(
            f"{trial_folder} holds no checkpoint that can be read: the model is gone"
        )
    is_end = state["megabatch_index"] == record.megabatch_index + 1 and not state["epoch_index"]
    if not is_end or state["identity"] != source.trial.key():
        raise ExportError(f"the newest checkpoint in {trial_folder} is not the trial's last")
    mask = Mask(dict(state["mask"]))
    network = source.network.build(mask)
    network.load_state_dict(state["model"], strict=True)
    return TrialModel(source, record, network, mask, sample_images(source.trial, dataset))


def sample_images(trial: TrialConfig, dataset: ImageDataset) -> Images:
    """A few images of the holdout, or of test where there is none."""
    splits = split(trial, dataset)
    if len(splits.holdout) or not splits.test_is_separate:
        chosen = splits.holdout if len(splits.holdout) else splits.test
        return np.ascontiguousarray(dataset.train_images[chosen[:_NUM_SAMPLES]])
    assert dataset.test_images is not None, "test is separate"
    return np.ascontiguousarray(dataset.test_images[splits.test[:_NUM_SAMPLES]])


def export_model(
    model: TrialModel, folder: Path, *, format_name: str, licence: str | None = None
) -> ModelCard:
    """Write the model, read it again, and only if its logits are the same let it appear.

    Channels that pruning has cut off are left out, where that changes no logit.

    Args:
        model: What goes out.
        folder: Appears whole or not at all, in the place of an earlier model.
        format_name: See :data:`study.export.formats.FORMATS`.
        licence: As the user names it, for the card.

    Raises:
        ExportError: The network cannot be written in this format, what is written gives other
            logits than the network, or ``folder`` holds something else than a model.
    """
    check_replaceable(folder)
    format_called(format_name)
    small = smallest(model.network, model.mask, model.source.network)
    card = ModelCard.from_record(
        dataclasses.replace(model.source, network=small.spec),
        model.record,
        format_name=format_name,
        licence=licence or UNLICENSED,
        removal=small.removal,
    )
    with replaced(folder) as new:
        write_model(small.network, small.mask, card, new)
        _verify(model, new)
    return card


def _verify(model: TrialModel, folder: Path) -> None:
    """Compare what was written with the network in memory, for several images and for one."""
    card, predict = load_model(folder)
    for images in (model.sample, model.sample[:1]):
        wanted = logits_of(model.network, card.network, images)
        difference = float(np.abs(predict(images) - wanted).max())
        allowed = allowed_difference(wanted)
        if not difference <= allowed:
            raise ExportError(
                f"what was written as {card.format} differs from the network by {difference:.3g} "
                f"in a logit (at most {allowed:.3g} is accepted); nothing was exported"
            )
