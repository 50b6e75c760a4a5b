"""Studies whose only lasting place is a bucket: their machine is lost, or their nodes are."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import s3fs

from study.results import Outcome
from study.store.record import Record, RecordedTrial
from study.store.remote.copies import StoreCopy
from study.store.remote.remote import Remote
from study.tracking import names
from tests.helpers.launched import SMALL, LaunchedStudy, numbers, undisturbed
from tests.helpers.ray_cluster import ray_cluster
from tests.helpers.s3_server import BUCKET, s3_server

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(900)]

URL = f"s3://{BUCKET}/studies"
NUM_TRIALS = 6
# A criterion of the user's that is slow to answer while a file is there: studies as small as these
# are over before one could do anything to them. Two megabatches are learned by then.
PLUGIN = """
import time
from dataclasses import dataclass
from pathlib import Path

from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA


@CRITERIA.register("held")
@dataclass(frozen=True)
class Held(Magnitude):
    hold: str = ""

    def scores(self, context):
        kept, size = (sum(n.values()) for n in (context.mask.kept_counts, context.mask.sizes))
        while self.hold and kept / size < 0.7 and Path(self.hold).exists():
            time.sleep(0.1)
        return super().scores(context)
"""
WAIT_S = 300


def raw(name: str, hold: Path, **resources: Any) -> dict[str, Any]:
    """Three trials that end at once, and three that wait for the hold to be taken away."""
    return {
        "name": name,
        "plugins": ["held"],
        "fixed": {
            **SMALL,
            "pruning.schedule": "app",
            "pruning.criterion": "held",
            "stream.num_megabatches": 5,
            "training.total_samples": 40000,
        },
        "axes": [
            {"pruning.final_density": [0.3, 0.25, 0.2], "seed": [0], "pruning.hold": [""]},
            {"pruning.final_density": [0.3, 0.25, 0.2], "seed": [1], "pruning.hold": [str(hold)]},
        ],
        "resources": {"storage_path": URL, **resources},
    }


class StudyAtUrl(LaunchedStudy):
    """A study that a machine has a copy of, which can be lost."""

    def __init__(
        self, folder: Path, name: str, environment: Mapping[str, str], **resources: Any
    ) -> None:
        self.hold = folder / "hold"
        self.hold.touch()
        (folder / "held.py").write_text(PLUGIN, encoding="utf-8")
        super().__init__(folder, raw(name, self.hold, **resources))
        self.environment |= environment
        self.move_to("first")

    def move_to(self, machine: str) -> None:
        """Everything is called on this machine from now on."""
        self.copies = self.folder / machine
        self.environment["APP_STUDY_COPIES"] = str(self.copies)

    @property
    def copy(self) -> Path:
        """The study's folder on this machine."""
        return self.copies / StoreCopy(Remote(URL)).root.name / self.name

    @property
    def record(self) -> Record:
        return Record.read(self.copy / "record.jsonl")

    def checkpoints(self, key: str) -> set[str]:
        """What the bucket has of a trial."""
        system = s3fs.S3FileSystem(
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            key=self.environment["AWS_ACCESS_KEY_ID"],
            secret=self.environment["AWS_SECRET_ACCESS_KEY"],
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        folder = f"{BUCKET}/studies/{self.name}/trials/{key}"
        return {p for p in system.find(folder) if p.endswith(".pt")}


def as_magnitude(trial: RecordedTrial) -> RecordedTrial:
    """The same trial with the criterion that the plug-in is but for its waiting."""
    pruning = {**trial.config["pruning"], "criterion": "magnitude"}
    del pruning["hold"]
    return replace(trial, config={**trial.config, "pruning": pruning})


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@dataclass
class Story:
    study: StudyAtUrl
    at_death: Record = field(default_factory=Record)
    left: dict[str, set[str]] = field(default_factory=dict)
    said: dict[str, tuple[int, str]] = field(default_factory=dict)

    def call(self, title: str, *arguments: str) -> None:
        self.said[title] = self.study.call(*arguments)


def held(record: Record) -> list[RecordedTrial]:
    """The trials that cannot end before the hold is taken away."""
    return [t for t in record.unfinished() if t.config["pruning"]["hold"]]


def cut_in_the_midst(story: StudyAtUrl) -> Callable[[Record], bool]:
    """A trial has ended, and of one that has not the bucket has two checkpoints."""

    def is_so(record: Record) -> bool:
        ended = any(trial.outcome is Outcome.COMPLETE for trial in record.trials.values())
        return ended and any(
            len(trial.history.megabatches) >= 2 and len(story.checkpoints(trial.key)) >= 2
            for trial in held(record)
        )

    return is_so


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Story:
    study = StudyAtUrl(tmp_path_factory.mktemp("study"), "afar", environment)
    made = Story(study)
    with study.start_in_a_new_interpreter("launch", "study.yaml") as driver:
        study.wait_until(cut_in_the_midst(study), driver, WAIT_S)
        study.move_to("elsewhere")
        made.call("launched twice", "launch", "study.yaml")
        made.call("status", "status", "afar", "--store", URL)
        # The record is sent every 20 s: what was not sent is lost with the machine.
        end = time.monotonic() + WAIT_S
        while not cut_in_the_midst(study)(study.record):
            assert time.monotonic() < end
            study.call("status", "afar", "--store", URL)
        study.move_to("first")
        driver.kill()
    study.hold.unlink()
    shutil.rmtree(study.copies)
    study.move_to("second")
    made.call("list", "list", "--store", URL)
    made.at_death = study.record
    made.left = {key: study.checkpoints(key) for key in made.at_death.trials}
    made.call("resume", "resume", "afar", "--store", URL)
    study.move_to("third")
    for command in ("status", "check", "export"):
        made.call(f"{command} afterwards", command, "afar", "--store", URL)
    return made


def test_while_it_runs_it_is_launched_nowhere_else_and_is_said_to_run(story: Story) -> None:
    code, said = story.said["launched twice"]
    assert code == 2, said
    assert "the study 'afar' runs in another process" in said
    code, said = story.said["status"]
    assert code == 0, said
    assert "afar is running" in said


def test_from_the_url_alone_another_machine_knows_it(story: Story) -> None:
    code, said = story.said["list"]
    assert code == 0, said
    assert "interrupted" in said


def test_it_is_finished_there_and_nothing_that_was_ended_is_trained_again(story: Story) -> None:
    code, said = story.said["resume"]
    assert code == 0, said
    assert "Traceback" not in said
    story.study.move_to("third")
    record = story.study.record
    assert record.is_finished
    assert [t.outcome for t in record.trials.values()] == [Outcome.COMPLETE] * NUM_TRIALS
    text = (story.study.copy / "record.jsonl").read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    ends = [event["key"] for event in events if event["event"] == "outcome"]
    assert sorted(ends) == sorted(record.trials)
    for key, trial in story.at_death.trials.items():
        if trial.outcome is not None:
            assert record.trials[key].history == trial.history  # times included


def test_cut_trials_went_on_from_the_checkpoints_in_the_bucket(story: Story) -> None:
    story.study.move_to("third")
    cut = [t for t in held(story.at_death) if len(story.left[t.key]) >= 2]
    assert cut
    for trial in cut:
        after = story.study.record.trials[trial.key].history
        known = trial.history.megabatches
        assert after.megabatches[: len(known)] == known
        assert not any("damaged" in n for n in story.study.record.trials[trial.key].notices)


def test_the_numbers_are_those_of_an_undisturbed_run_to_the_last_bit(story: Story) -> None:
    story.study.move_to("third")
    for trial in story.study.record.trials.values():
        assert numbers(trial.history) == undisturbed(as_magnitude(trial))


def test_a_third_machine_reads_checks_and_exports_it(story: Story) -> None:
    code, said = story.said["status afterwards"]
    assert code == 0, said
    assert f"afar is finished: {NUM_TRIALS} of {NUM_TRIALS} trials ended" in said
    code, said = story.said["check afterwards"]
    assert code == 0, said
    assert f"agrees with its record: {NUM_TRIALS} trials" in said
    code, said = story.said["export afterwards"]
    assert code == 0, said
    assert "read again and compared with the network" in said


def test_mlflow_has_every_trial_its_model_and_every_step_once(story: Story) -> None:
    story.study.move_to("third")
    runs, trials = story.study.runs(), story.study.record.trials
    assert [run.data.tags[names.TAG_TRIAL_KEY] for run in runs] == list(trials)
    for run in runs:
        history = trials[run.data.tags[names.TAG_TRIAL_KEY]].history
        steps = story.study.logged_steps(run, "holdout_error_rate")
        assert steps == list(range(len(history.megabatches)))


def test_on_two_nodes_without_a_common_folder_a_trial_outlives_its_node(
    environment: dict[str, str], tmp_path: Path
) -> None:
    study = StudyAtUrl(tmp_path, "nodes", environment, gpus_per_trial=0.5)
    is_cut = cut_in_the_midst(study)
    with ray_cluster() as cluster:
        nodes = {
            name: cluster.add(**study.environment | {"APP_STUDY_COPIES": str(tmp_path / name)})
            for name in ("left", "right")
        }
        study.environment |= cluster.environment
        with study.start_in_a_new_interpreter(
            "launch", "study.yaml", "--address", cluster.address
        ) as driver:
            at_death = study.wait_until(is_cut, driver, WAIT_S)
            cut = [t.key for t in held(at_death) if len(study.checkpoints(t.key)) >= 2]
            key = cut[0]
            (left_behind,) = tmp_path.glob(f"*t/*/nodes/trials/{key}/checkpoints")
            cluster.kill(nodes[left_behind.relative_to(tmp_path).parts[0]])
            study.hold.unlink()
            said, _ = driver.communicate(timeout=WAIT_S)
        assert driver.returncode == 0, said
    record = study.record
    assert [t.outcome for t in record.trials.values()] == [Outcome.COMPLETE] * NUM_TRIALS
    for trial in record.trials.values():
        assert numbers(trial.history) == undisturbed(as_magnitude(trial))
    # It was cut there, and what it had done was not done again: times are as they were.
    known = at_death.trials[key].history.megabatches
    assert record.trials[key].history.megabatches[: len(known)] == known
    end = max(study.checkpoints(key), key=lambda path: path.rpartition("/")[2][33:])
    assert max(p.name for p in left_behind.glob("*.pt")) < end.rpartition("/")[2][33:]
    # The driver, who has trained nothing, has fetched the models to tell MLflow of them.
    for key in record.trials:
        assert (study.copy / "trials" / key / "models").is_dir()
        assert not (study.copy / "trials" / key / "checkpoints").exists()
