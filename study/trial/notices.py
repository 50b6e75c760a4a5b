"""What a user may not expect of a trial that is right as it stands, found before it is trained."""

from collections.abc import Sequence

from torch.nn.modules.batchnorm import _BatchNorm

from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.data.stream import Megabatch
from study.pruning.schedule_shapes import AnytimeProgressive
from study.pruning.schedules import SPARSITY_BASE
from study.training.training_plan import num_examples
from study.trial.assembly import split, stream
from study.trial.meta_network import meta_model

# A mini-batch of at most so small a part of training.batch_size is a small one.
_SMALL = 1 / 16


def notices(trial: TrialConfig, dataset: ImageDataset) -> list[str]:
    """All that there is to say, a sentence each."""
    found = []
    megabatches = stream(trial, split(trial, dataset))
    if trial.training.keep == "best" and not len(megabatches[0].validation):
        found.append(
            f"training.keep is best, but of {len(megabatches[0].train)} examples a megabatch "
            f"stream.validation_fraction {trial.stream.validation_fraction:g} leaves none to "
            f"choose the best epoch by: the last one is kept until there are some "
            f"(stream.num_megabatches = {trial.stream.num_megabatches})"
        )
    found += _small_minibatches(trial, dataset, megabatches)
    file = trial.model.weights_file
    new = file.new_classifier(meta_model(trial, dataset)) if file else ""
    if new:
        found.append(
            f"model.weights has another number of classes than the data's {dataset.num_classes}: "
            f"{new} begins anew, all else is from the file"
        )
    target = trial.pruning.target_density
    is_app = isinstance(trial.pruning.plugin("schedule"), AnytimeProgressive)
    # At density 1 nothing is pruned, however it is called.
    if is_app and target is not None and SPARSITY_BASE <= target < 1:
        found.append(
            f"the pruning schedule app with τ ≤ 1 (density {target:.3g}, at least "
            f"{SPARSITY_BASE}) prunes once, as one_shot does"
        )
    return found


def _small_minibatches(
    trial: TrialConfig, dataset: ImageDataset, megabatches: Sequence[Megabatch]
) -> list[str]:
    """Epochs that end in a mini-batch of which batch normalisation can tell next to nothing."""
    if not any(isinstance(m, _BatchNorm) for m in meta_model(trial, dataset).modules()):
        return []
    sizes, _ = num_examples(trial.stream.plugin("replay"), megabatches, seed=trial.seed)
    size = trial.training.batch_size
    few = [k for k, number in enumerate(sizes) if _leaves_few(number, size)]
    if not few:
        return []
    larger = (b for b in range(size, 2 * size) if not any(_leaves_few(n, b) for n in sizes))
    better = next(larger, None)
    others = f" (and of {len(few) - 1} more)" if len(few) > 1 else ""
    remedy = f"; training.batch_size {better} leaves more" if better else ""
    return [
        f"each epoch of megabatch {few[0]}{others} ends in a mini-batch of "
        f"{sizes[few[0]] % size} instead of {size} examples, which batch normalisation takes "
        f"badly (stream.num_megabatches = {trial.stream.num_megabatches}){remedy}"
    ]


def _leaves_few(num_examples: int, batch_size: int) -> bool:
    left = num_examples % batch_size
    # One alone joins the mini-batch before it.
    return num_examples > batch_size and 1 < left <= _SMALL * batch_size
