"""Of several runs of one trial the same one counts for everybody."""

from study.tracking import names
from study.tracking.run_store import StoredRun, one_run_per_trial


def run(run_id: str, key: str | None, outcome: str, start: int) -> StoredRun:
    tags = {names.TAG_OUTCOME: outcome} | ({names.TAG_TRIAL_KEY: key} if key else {})
    return StoredRun(run_id, "FINISHED", start, tags, {}, {})


def test_a_complete_run_counts_before_a_stopped_one_before_others_and_then_the_newest() -> None:
    runs = [
        run("a1", "a", "complete", 1), run("b1", "b", "running", 2),
        run("a2", "a", "early_stopped", 3), run("c1", "c", "early_stopped", 4),
        run("b2", "b", "interrupted", 5), run("c2", "c", "error", 6),
        run("d", None, "complete", 7),
    ]  # fmt: skip
    for ordered in (runs, runs[::-1]):
        chosen = one_run_per_trial(ordered)
        ids = {key: found.run_id for key, found in chosen.items()}
        assert ids == {"a": "a1", "b": "b2", "c": "c1", "d": "d"}
    assert list(one_run_per_trial(runs)) == ["a", "b", "c", "d"]
