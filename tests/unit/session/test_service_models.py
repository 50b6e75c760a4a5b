"""Which models in service a trial leaves, and that each is told of once."""

from pathlib import Path
from typing import Any

import pytest

from study.config.study import parse_study
from study.config.trial import parse_trial
from study.export.folder import load_model
from study.results import MegabatchRecord, Outcome
from study.session.service_models import MODELS_FOLDER, ServiceModels, best_megabatch, keep_model
from study.store.record import RecordedTrial
from study.training.anytime import AnytimeLearner
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_studies import FIXED, raw_search
from tests.helpers.small_trials import learner


def run_and_keep(
    mode: Any, folder: Path, granularity: str = "weight"
) -> tuple[AnytimeLearner, RecordedTrial, ServiceModels]:
    raw = raw_search(tracking={"log_models": mode})
    study = parse_study(raw)
    chosen = {
        "pruning.schedule": "app", "pruning.final_density": 0.3, "stream.num_megabatches": 4,
        "pruning.granularity": granularity,
    }  # fmt: skip
    config = study.compose(chosen)
    made = learner(config)
    for record in made.run():
        if isinstance(record, MegabatchRecord):
            keep_model(made, folder / config.key(), mode)
    trial = RecordedTrial(config.key(), 0, "point", chosen, config.to_dict(), made.history)
    key = dataset_key(parse_trial(trial.config).data)
    service_models = ServiceModels(study, folder, {key: load_dataset(key)})
    assert FIXED["model.architecture"] == "mlp"
    return made, trial, service_models


@pytest.mark.parametrize("mode", ["none", "final", "best", "every_megabatch"])
def test_a_trial_leaves_the_models_that_are_asked_for(mode: str, tmp_path: Path) -> None:
    made, trial, service_models = run_and_keep(mode, tmp_path)
    best = best_megabatch(made.history.megabatches)
    wanted = {"none": [], "final": [3], "best": [best], "every_megabatch": [0, 1, 2, 3]}[mode]
    trial.outcome = Outcome.COMPLETE
    assert [model.step for model in service_models.new_models(trial)] == wanted
    assert service_models.new_models(trial) == []
    left = tmp_path / trial.key / MODELS_FOLDER
    assert sorted(int(p.name) for p in left.glob("*")) == wanted


def test_the_best_model_is_waited_for_until_the_trial_has_ended(tmp_path: Path) -> None:
    _, trial, service_models = run_and_keep("best", tmp_path)
    assert service_models.new_models(trial) == []
    trial.outcome = Outcome.ERROR
    assert len(service_models.new_models(trial)) == 1


@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_a_model_that_was_left_makes_the_errors_that_its_record_tells(
    granularity: str, tmp_path: Path
) -> None:
    made, trial, service_models = run_and_keep("every_megabatch", tmp_path, granularity)
    dataset = load_dataset(dataset_key(parse_trial(trial.config).data))
    for info, record in zip(
        service_models.new_models(trial), made.history.megabatches, strict=True
    ):
        card, predict = load_model(info.folder)
        holdout = made.data.holdout
        classes = predict(dataset.train_images[holdout]).argmax(1)
        errors = (classes != dataset.train_labels[holdout]).mean()
        assert errors == pytest.approx(record.metrics["holdout_error_rate"])
        assert card.megabatch_index == info.step == record.megabatch_index
        assert set(info.metric_names) <= set(card.metrics)


def test_the_best_is_the_latest_of_equals() -> None:
    def record(index: int, error: float) -> MegabatchRecord:
        return MegabatchRecord(index, 1.0, 0, {"holdout_error_rate": error})

    assert best_megabatch([record(0, 0.2), record(1, 0.1), record(2, 0.1), record(3, 0.3)]) == 2
