"""The smoke trial's numbers, pinned: a change that moves them must be meant.

``golden_trial.json`` holds what one small trial on the real digits gives: by megabatch the number
of misclassified holdout and test examples and of kept weights (exact), and by epoch the training
loss (to 1e-4). What moves them: data splits, initialisation, the order of examples, scores,
allocation, the optimiser, which epoch is kept. A user who has run studies before would find that
the same configuration gives other numbers.

To move them: say why in CHANGELOG.md, print ``measured()`` as JSON from the repository's root by
``python -c "import json; from tests.golden.test_golden_trial import measured;
print(json.dumps(measured(), indent=1))"`` and put that into the file, in the same commit as the
change. A new version of torch may move them too; then nothing else is in that commit.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_trials import trained, trial

GOLDEN = Path(__file__).with_name("golden_trial.json")


def measured() -> dict[str, Any]:
    """What the trial gives now."""
    config = trial(
        data__dataset="digits",
        data__num_examples=None,
        data__num_test_examples=None,
        data__image_size=None,
        data__shots_per_class=60,
        model__hidden_sizes=(16,),
        pruning__final_density=0.2,
        pruning__criterion="snip",
        saliency__batch_size=100,
        training__batch_size=32,
    )
    made = trained(config)
    megabatches = made.history.megabatches
    dataset = load_dataset(dataset_key(config.data))
    assert dataset.test_images is None
    sizes = {"holdout": len(made.data.holdout), "test": len(made.data.test)}
    return {
        **{
            f"{split}_errors": [
                round(m.metrics[f"{split}_error_rate"] * size) for m in megabatches
            ]
            for split, size in sizes.items()
        },
        "kept_weights": [sum(layer.num_kept for layer in m.layers) for m in megabatches],
        "kept_epochs": [m.kept_epoch_index for m in megabatches],
        "train_losses": [round(e.metrics["train_loss"], 6) for e in made.history.epochs],
    }


def test_the_smoke_trial_gives_the_numbers_that_it_always_gave() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    now = measured()
    losses = golden.pop("train_losses")
    assert now.pop("train_losses") == pytest.approx(losses, abs=1e-4)
    assert now == golden
