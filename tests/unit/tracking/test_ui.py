"""How MLflow's interface is started."""

import io
import subprocess
import sys
from typing import Any

import pytest

from study.tracking.mlflow import ui


def test_no_file_of_the_working_directory_stands_in_for_a_module_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dict[str, Any]] = []

    class Server:
        def __init__(self, command: list[str], **given: Any) -> None:
            assert command[:3] == [sys.executable, "-m", "mlflow"]
            started.append(given["env"])

        def terminate(self) -> None: ...
        def wait(self, timeout: float) -> None: ...

    monkeypatch.setattr(subprocess, "Popen", Server)
    with io.BytesIO() as output, ui._server("sqlite:///x.db", 1, output):
        pass
    assert started[0]["PYTHONSAFEPATH"] == "1"
