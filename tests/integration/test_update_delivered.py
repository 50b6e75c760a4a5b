"""The whole command: an update in MLflow, exported, and in the place of a champion it beats."""

import warnings
from pathlib import Path

import pytest

from analysis.runs.load import load
from study.commands.export import export
from study.commands.update import update
from study.errors import ExportError
from study.export.folder import read_card
from study.tracking import names
from tests.helpers.finished_study import NAME, digits_in_parts, finish_study

with warnings.catch_warnings():
    # MLflow's models use what SQLAlchemy deprecates, and are configured when a client is made.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
    from mlflow import MlflowClient
    from mlflow.store.tracking import sqlalchemy_store  # noqa: F401  # configures them


@pytest.mark.slow
@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_a_champion_gives_way_to_an_update_that_is_no_worse_or_when_told_to(
    granularity: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    _, *files = digits_in_parts(tmp_path)
    method = {"pruning.granularity": granularity, "pruning.floor": 0.1}
    finish_study(Path("app-studies"), str(tmp_path / "0.npz"), **method)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)

    def meet(path: str, *, replace_better: bool = False) -> None:
        update(
            NAME, [Path(path)], register="digits", alias="champion", tracking_uri=uri,
            replace_better=replace_better,
        )  # fmt: skip

    def champion() -> str:
        return str(client.get_model_version_by_alias("digits", "champion").version)

    meet(files[0])
    assert "is trial" in capsys.readouterr().out
    assert champion() == "1"
    meet(files[0])
    assert "is this model already" in capsys.readouterr().out
    assert len(client.search_model_versions("name = 'digits'")) == 1

    # Better than any can be.
    client.set_model_version_tag("digits", "1", names.TAG_HOLDOUT_ERROR, "-0.125")
    with pytest.raises(ExportError, match=r"stays the champion: .*-0\.125; .*--replace-better"):
        meet(files[1])
    assert champion() == "1"
    meet(files[1], replace_better=True)
    assert champion() == "2"
    card = read_card(Path("exports") / NAME / "trial-3")
    said = " channel" if granularity == "channel" else ""
    assert (card.title, card.megabatch_index) == (f"open_ended T=2+2 mlp{said} seed=1", 3)
    assert bool(card.network.removed) == (granularity == "channel")
    # Pruned on with each arrival, and smaller for it.
    before = read_card(Path("exports") / NAME / "trial-2")
    assert card.metrics["density"] < before.metrics["density"]
    flops = [made.metrics["forward_flops"] for made in (before, card)]
    assert (flops[1] < flops[0]) == (granularity == "channel")

    export(NAME, trial="2", out=Path("again"))
    assert read_card(Path("again")).trial_number == 2

    (experiment,) = client.search_experiments(filter_string="name = 'app-study'")
    kinds = client.search_runs([experiment.experiment_id], order_by=["start_time"])
    parents = [r for r in kinds if r.data.tags[names.TAG_KIND] == names.KIND_STUDY]
    updates = [r for r in kinds if names.TAG_UPDATED_FROM in r.data.tags]
    assert len(parents) == 1
    assert len(updates) == 2
    for run in updates:
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        assert run.info.status == "FINISHED"
    assert updates[1].data.tags[names.TAG_UPDATED_FROM] == updates[0].data.tags["trial_key"]
    points = client.get_metric_history(updates[1].info.run_id, "holdout_error_rate")
    assert [point.step for point in points] == [0, 1, 2, 3]

    runs = load(NAME, tracking_uri=uri)
    assert runs.trials.empty
    assert any(note.startswith("2 update(s)") for note in runs.notes)
