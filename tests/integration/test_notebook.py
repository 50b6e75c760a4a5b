"""The notebook in examples/ runs from its first cell to its last, in a kernel of its own."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "examples" / "images_to_onnx.ipynb"


def notebook() -> Any:
    return nbformat.read(PATH, as_version=4)


def test_it_is_kept_without_outputs() -> None:
    cells = [cell for cell in notebook().cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    """The outputs of all cells, and the folder in which they ran."""
    folder = tmp_path_factory.mktemp("notebook")
    run = notebook()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PATH.parents[1]))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("OMP_NUM_THREADS", "1")
        NotebookClient(run, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    return [o for c in run.cells if c.cell_type == "code" for o in c.outputs], folder


def texts(outputs: list[Any]) -> str:
    """All that is shown, without colours."""
    plain = [o.get("data", {}).get("text/plain", "") for o in outputs]
    shown = "\n".join([*plain, *(o.get("text", "") for o in outputs)])
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_it_ends_in_an_onnx_file_a_frame_and_a_plot(executed: tuple[list[Any], Path]) -> None:
    outputs, folder = executed
    assert (folder / "model" / "model.onnx").is_file()
    kinds = [set(o.get("data", {})) for o in outputs]
    assert any("image/png" in kind for kind in kinds)
    assert any("service_error" in o.get("data", {}).get("text/html", "") for o in outputs)
    assert "guessed [" in texts(outputs)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_progress_is_drawn_in_one_place_and_the_answer_below_it(
    executed: tuple[list[Any], Path],
) -> None:
    said = texts(executed[0])
    assert "5/5 trials" in said  # as it was drawn last
    assert "The study images is finished" in said
    assert "best so far" in said
    assert "• " in said


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_nothing_goes_wrong_on_standard_error(executed: tuple[list[Any], Path]) -> None:
    said = [o.text for o in executed[0] if o.get("name") == "stderr"]
    # Ray and tqdm recommend ipywidgets where they are imported; nothing here needs them.
    assert [text for text in said if "ipywidgets" not in text] == []
