"""Where a study is tracked, and what of its address is kept."""

import re
import stat
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from analysis import cli as report_cli
from study import cli
from study.config.loading import load_study
from study.config.problems import ConfigError
from study.config.study import parse_study
from study.config.yaml_io import write_yaml
from study.results import Outcome
from study.store.folder import StudyStore
from study.store.record import Record
from study.tracking.address import absolute_uri, sqlite_path
from study.tracking.tracker import TrackingError
from study.workflow import workplace
from study.workflow.addresses import DEFAULT_TRACKING_URI, tracking_address, with_override
from tests.helpers.small_studies import raw_search

SECRET = "s3cret-word"
WITH_SECRETS = [
    f"http://ann:{SECRET}@tracking.example:5000",
    f"https://{SECRET}@tracking.example",
    f"postgresql://ann:{SECRET}@127.0.0.1:5432/mlflow",
    f"postgresql://127.0.0.1/mlflow?user=ann&password={SECRET}",
]
SERVER = "http://127.0.0.1:5000"
WIDE = {"COLUMNS": "400", "TERM": "dumb"}


def test_the_flag_comes_before_the_file_the_variable_and_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = parse_study(raw_search())
    named = parse_study(raw_search(tracking={"uri": "http://of-the-file:1"}))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_address(silent, None) == DEFAULT_TRACKING_URI
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://of-the-variable:1")
    assert tracking_address(silent, None) == "http://of-the-variable:1"
    assert tracking_address(named, None) == "http://of-the-file:1"
    assert tracking_address(named, SERVER) == SERVER


def test_a_study_keeps_the_flags_address_so_that_it_is_resumed_there(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(write_yaml(raw_search()), encoding="utf-8")
    folder = StudyStore(tmp_path).folder("small")
    folder.write_config(load_study(path, overrides=with_override([], "tracking.uri", SERVER)))
    assert tracking_address(folder.read_config(), None) == SERVER


@pytest.mark.parametrize("uri", WITH_SECRETS)
def test_a_study_file_with_a_password_is_refused_with_the_remedy(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"tracking\.uri: .*MLFLOW_TRACKING_PASSWORD") as caught:
        parse_study(raw_search(tracking={"uri": uri}))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [SERVER, "https://host/path", "sqlite:///mlflow.db", "postgresql://127.0.0.1:5432/mlflow"],
)
def test_an_address_without_one_is_taken(uri: str) -> None:
    assert parse_study(raw_search(tracking={"uri": uri})).tracking.uri == uri


@pytest.mark.parametrize(
    ("program", "command"),
    [
        (cli.app, ["launch", "no.yaml"]),
        (cli.app, ["resume", "small"]),
        (cli.app, ["sync", "small"]),
        (cli.app, ["ui"]),
        (report_cli.app, ["html", "small"]),
        (report_cli.app, ["runs", "small"]),
    ],
)
def test_a_password_among_a_commands_arguments_is_refused_with_the_remedy(
    program: typer.Typer, command: list[str]
) -> None:
    said = CliRunner().invoke(program, [*command, "--tracking-uri", WITH_SECRETS[0]], env=WIDE)
    assert said.exit_code == 2
    assert "MLFLOW_TRACKING_PASSWORD" in said.output
    assert SECRET not in said.output


def test_the_study_file_is_its_owners_alone_even_over_one_that_was_not(tmp_path: Path) -> None:
    folder = StudyStore(tmp_path).folder("small")
    folder.path.mkdir()
    folder.config_path.write_text("of another time", encoding="utf-8")
    folder.config_path.chmod(0o644)
    folder.write_config(parse_study(raw_search()))
    assert folder.read_config() == parse_study(raw_search())
    assert [path.name for path in folder.path.iterdir()] == ["study.yaml"]
    assert stat.S_IMODE(folder.config_path.stat().st_mode) == 0o600


def test_the_record_keeps_no_password_of_what_a_trial_failed_of(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with Record.open(path) as record:
        record.add_trial("k", source="search", chosen={}, config={})
        record.add_notice("k", f"{WITH_SECRETS[0]} does not answer")
        record.add_outcome("k", Outcome.ERROR, f"no connection to {WITH_SECRETS[2]}")
    assert SECRET not in path.read_text(encoding="utf-8")
    assert Record.read(path).trials["k"].reason == (
        "no connection to postgresql://***@127.0.0.1:5432/mlflow"
    )


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (SERVER, f"MLflow UI  {SERVER}"),
        (WITH_SECRETS[0], "MLflow UI  http://***@tracking.example:5000"),
        (WITH_SECRETS[2], "MLflow UI  app-study ui small"),
        ("sqlite:///mlflow.db", "ui --backend-store-uri sqlite:///mlflow.db"),
    ],
)
def test_the_end_of_a_study_says_where_mlflow_shows_it(
    uri: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Written:
        page, sentences = Path("index.html"), ()

    monkeypatch.setattr("analysis.page.page.write_report", lambda *_, **__: Written)
    ui = "app-study ui small"
    workplace.print_answer("small", uri, Path("reports"), Console(width=200), ui=ui)
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize("uri", ["sqlite:///~/mlflow.db", "sqlite+pysqlite:///%7E/mlflow.db?a=1"])
def test_a_home_folder_in_an_address_is_refused_with_the_folder_written_out(uri: str) -> None:
    remedy = re.escape(f":///{Path.home() / 'mlflow.db'}")
    for read in (sqlite_path, absolute_uri):
        with pytest.raises(TrackingError, match=f"~ stands for no home folder.*{remedy}"):
            read(uri)


def test_only_a_whole_first_folder_called_so_is_a_home_folder() -> None:
    assert sqlite_path("sqlite:////data/~/mlflow.db") == Path("/data/~/mlflow.db")
    assert sqlite_path("sqlite:///a~/mlflow.db") == Path.cwd() / "a~" / "mlflow.db"
