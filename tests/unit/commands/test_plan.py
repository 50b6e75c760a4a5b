"""What ``app-study plan`` says a study will cost."""

from pathlib import Path

import pytest
import yaml

from study.commands.plan import plan
from tests.helpers.small_studies import FIXED


@pytest.mark.parametrize(
    ("granularity", "counted"),
    [("weight", "(counted dense)"), ("channel", "(at most: counted dense, and channels that ")],
)
def test_flops_are_the_most_where_networks_lose_channels(
    granularity: str, counted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "study.yaml"
    axes = {"pruning.schedule": ["app", "dense"], "pruning.final_density": [0.5]}
    fixed = {**FIXED, "pruning.granularity": granularity}
    file.write_text(yaml.safe_dump({"name": "a", "fixed": fixed, "axes": axes}), encoding="utf-8")
    plan(file)
    said = capsys.readouterr().out
    assert counted in said
    assert "estimated time                 less than 1 s, " in said
