"""Every Python block of docs/python.md runs, one after the other, as a script of a user's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import study.api

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_the_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) >= 6
    (tmp_path / "blocks.py").write_text("\n".join(blocks), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "blocks.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "confirmed" in done.stdout
    assert "Traceback" not in done.stderr
    assert (tmp_path / "digits-model" / "model_card.json").is_file()


def test_every_function_and_method_is_in_the_document() -> None:
    names = [name for name in study.api.__all__ if name[0].islower()]
    public = [n for n in vars(study.api.LaunchedStudy) if not n.startswith("_") and n != "run"]
    methods = [f"study.{n}(" for n in public if callable(getattr(study.api.LaunchedStudy, n))]
    assert [n for n in [*(f"{n}(" for n in names), *methods] if n not in TEXT] == []
