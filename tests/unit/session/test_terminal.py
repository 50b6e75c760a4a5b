"""What the person at the terminal sees: lines on a pipe, one bar and the best on a terminal."""

import io
import re

from rich.console import Console

from study.results import Outcome, TrialHistory
from study.session.terminal import NUM_BEST, TerminalDisplay
from study.store.record import RecordedTrial
from study.tracking.facts import TrialInfo
from tests.helpers.small_studies import history

OBJECTIVES = ("service_error", "final_density")


def info(number: int, title: str = "app d=0.2 T=2 mlp seed=0") -> TrialInfo:
    return TrialInfo(f"k{number}", number, title, {}, {}, {}, "")


def trial(number: int, error: float, outcome: Outcome = Outcome.COMPLETE) -> RecordedTrial:
    reason = "the loss is not a number" if outcome is Outcome.ERROR else ""
    reported = history(2, error=error)
    return RecordedTrial(f"k{number}", number, "search", {}, {}, reported, outcome, reason)


def display(stream: io.StringIO, *, terminal: bool, num_trials: int = 8) -> TerminalDisplay:
    console = Console(file=stream, force_terminal=terminal, width=80, color_system=None)
    return TerminalDisplay(console, study="small", metrics=OBJECTIVES, num_trials=num_trials)


def last_screen(text: str) -> str:
    """What stays of a live display: all that follows the last erased line."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.split("\x1b[2K")[-1])


def test_on_a_pipe_every_trial_is_one_line_however_long() -> None:
    stream = io.StringIO()
    with display(stream, terminal=False) as shown:
        long = "app d=0.2 T=2 " + "a_network_with_a_long_name " * 5 + "seed=0"
        shown.started(info(0, long))
        shown.progressed(info(0, long), history(1))
        shown.ended(info(0, long), trial(0, 0.25))
        shown.ended(info(1), trial(1, 0.25, Outcome.ERROR))
        shown.notice("x" * 200)
    lines = stream.getvalue().splitlines()
    assert lines == [
        f"[1/8] {long}: service error 0.25, final density 0.5",
        "[2/8] app d=0.2 T=2 mlp seed=0: error: the loss is not a number",
        "x" * 200,
    ]
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_the_best_come_first_and_failed_ones_are_counted() -> None:
    stream = io.StringIO()
    with display(stream, terminal=True) as shown:
        for number, error in enumerate((0.5, 0.125, 0.25)):
            shown.ended(info(number, f"trial {number}"), trial(number, error))
        shown.ended(info(3, "broken"), trial(3, 0.01, Outcome.ERROR))
        shown.ended(info(4, "stopped"), trial(4, 0.01, Outcome.EARLY_STOPPED))
    seen = last_screen(stream.getvalue())
    rows = re.findall(r"(trial \d) +(0\.\d+) +0\.5", seen)
    assert rows == [("trial 1", "0.125"), ("trial 2", "0.25"), ("trial 0", "0.5")]
    assert "1 failed" in seen
    assert "broken" not in seen
    assert "stopped" not in seen
    assert "5/8 trials" in seen


def test_only_the_best_few_are_shown() -> None:
    stream = io.StringIO()
    with display(stream, terminal=True, num_trials=20) as shown:
        for number in range(NUM_BEST + 3):
            shown.ended(info(number, f"trial {number}"), trial(number, 0.01 * (number + 1)))
    assert len(re.findall(r"trial \d ", last_screen(stream.getvalue()))) == NUM_BEST


def test_a_running_trial_is_shown_with_its_part_of_the_stream_and_gone_at_the_end() -> None:
    stream = io.StringIO()
    shown = display(stream, terminal=True)
    with shown:
        shown.started(info(0))
        shown.progressed(info(0), history(1, of=4))
        shown._view._live.refresh()
        assert "now: app d=0.2 T=2 mlp seed=0  25% of its stream" in stream.getvalue()
        assert shown._progress.tasks[0].completed == 0.25
    assert "now:" not in last_screen(stream.getvalue())


def test_trials_of_an_earlier_process_count_from_the_start() -> None:
    stream = io.StringIO()
    shown = display(stream, terminal=False)
    with shown:
        infos = {info(n).key: info(n) for n in range(3)}
        shown.recorded([trial(n, 0.25) for n in range(3)], infos.__getitem__)
        shown.ended(info(3), trial(3, 0.5))
    assert stream.getvalue().startswith("[4/8] ")
    assert shown._progress.tasks[0].completed == 4


def test_names_are_shown_and_never_obeyed() -> None:
    stream = io.StringIO()
    with display(stream, terminal=True) as shown:
        shown.started(info(0, "[red]x[/red] [/nothing]"))
        shown.progressed(info(0, "[red]x[/red] [/nothing]"), TrialHistory())
        shown.ended(info(0, "[red]x[/red] [/nothing]"), trial(0, 0.25))
        shown.notice("[link=file:///x]y[/link]")
    assert "[red]x[/red] [/nothing]" in last_screen(stream.getvalue())
    assert "[link=file:///x]y[/link]" in stream.getvalue()
