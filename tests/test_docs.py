"""The documents speak of paths and densities that exist, so that they cannot rot."""

import dataclasses
import re
import shlex
import typing
from pathlib import Path

import pytest
import typer.main

import analysis.cli
import study.cli
from study.config.plugins import load_builtin_plugins
from study.config.space import path_problem
from study.config.study_config import StudyConfig
from study.data.replay import REPLAY_POLICIES
from study.pruning.allocation import ALLOCATIONS
from study.pruning.granularity.granularity import GRANULARITIES
from study.pruning.schedules import SCHEDULES, SPARSITY_BASE, PruningEvent
from study.pruning.scoring import CRITERIA
from study.training.starts import STARTS

ROOT = Path(__file__).parents[1]
TRIAL_SECTIONS = ("data", "stream", "model", "pruning", "saliency", "training")
STUDY_SECTIONS = ("search", "objective", "budget", "resources", "tracking")
LINE_OF_DENSITIES = r"^\| `(\w+)` \|((?: [01]\.\d{3} \|){8})$"


@pytest.fixture(autouse=True)
def _plugins() -> None:
    load_builtin_plugins()


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def dotted_paths(text: str) -> list[str]:
    """Paths at the start of code spans; a path ends at a space, a colon or an equals sign."""
    outside_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    sections = "|".join(TRIAL_SECTIONS + STUDY_SECTIONS)
    found = re.findall(rf"`((?:{sections})\.[^`\s:=]+)[^`]*`", outside_blocks)
    return sorted(set(found))


def settings_of_example_plugins(text: str) -> set[str]:
    """Fields of the plug-ins that the document itself shows how to write."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return {name for block in blocks for name in re.findall(r"^    (\w+): ", block, re.MULTILINE)}


def study_keys(section: str) -> set[str]:
    """Keys of a section of the study file."""
    hint = typing.get_type_hints(StudyConfig)[section]
    (model,) = [t for t in (typing.get_args(hint) or (hint,)) if t is not type(None)]
    inner = {
        f"{name}.{key}"
        for name, field in model.model_fields.items()
        for key in getattr(field.annotation, "model_fields", {})
    }
    return set(model.model_fields) | inner


@pytest.mark.parametrize("name", ["docs/study_file.md", "docs/method.md", "docs/search.md"])
def test_every_path_that_a_document_names_is_a_path_of_the_study_file(name: str) -> None:
    text = read(name)
    paths = dotted_paths(text)
    assert len(paths) > 5
    own = settings_of_example_plugins(text)
    unknown = []
    for path in paths:
        section, _, key = path.partition(".")
        if section in STUDY_SECTIONS:
            is_known = key in study_keys(section)
        else:
            is_known = path_problem(path, where=name) is None or key in own
        if not is_known:
            unknown.append(path)
    assert not unknown


def test_the_methods_table_of_densities_is_what_the_schedules_say() -> None:
    table = re.findall(LINE_OF_DENSITIES, read("docs/method.md"), flags=re.MULTILINE)
    assert {name for name, _ in table} == set(SCHEDULES) - {"step"}  # which has no own densities
    for name, written in table:
        schedule = SCHEDULES.get(name)()
        target = SPARSITY_BASE**4.5 if schedule.takes_target else None
        event = PruningEvent(k=1, num_megabatches=8, target_density=target)
        events = (dataclasses.replace(event, k=k, samples_arrived=5000 * k) for k in range(1, 9))
        computed = [f"{schedule.density(event):.3f}" for event in events]
        assert re.findall(r"[01]\.\d{3}", written) == computed, name


def test_the_method_names_every_plug_in_of_a_pruning_event() -> None:
    text = read("docs/method.md")
    for registry in (SCHEDULES, CRITERIA, ALLOCATIONS, GRANULARITIES, REPLAY_POLICIES, STARTS):
        # Tests that ran before in this process may have registered plug-ins of users.
        ours = [n for n in registry if registry.get(n).__module__.startswith("study.")]
        missing = [name for name in ours if f"\n| `{name}`" not in text]
        assert not missing, registry.kind


def pages() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def commands_of(page: Path) -> list[str]:
    """The program's commands in a page's shell blocks, with lines that go on joined."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    plain = [line.removeprefix("$ ").partition(" #")[0] for line in lines]
    return [line for line in plain if line.startswith(("app-study ", "app-report "))]


def test_every_command_of_a_document_is_one_that_the_program_takes() -> None:
    programs = {
        name: typer.main.get_command(app)
        for name, app in (("app-study", study.cli.app), ("app-report", analysis.cli.app))
    }
    commands = [command for page in pages() for command in commands_of(page)]
    assert len(commands) > 25
    for command in commands:
        program, name, *arguments = shlex.split(command)
        # Refuses what it does not know; nothing is run.
        programs[program].commands[name].make_context(name, arguments)


def test_every_link_of_a_document_leads_to_a_file_and_a_heading() -> None:
    broken = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(#[^)\s]*)?\)", text):
            path = page.parent / target if target else page
            if not path.exists():
                broken.append(f"{page.name}: {target}")
            elif anchor and anchor[1:] not in slugs(path):
                broken.append(f"{page.name}: {target}{anchor}")
    assert broken == []


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    outside = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_stands_in_the_contents() -> None:
    contents = read("docs/index.md")
    listed = set(re.findall(r"^([a-z_/]+)$", contents, flags=re.MULTILINE))
    names = {page.relative_to(ROOT / "docs").with_suffix("").as_posix() for page in pages()}
    # The page of searching shows search.md, as Sphinx has a page of that name itself.
    assert listed == names - {"index", "search"}


def test_every_picture_is_shown_with_a_caption_and_is_small() -> None:
    pictures = {path.name: path for path in (ROOT / "docs" / "images").iterdir()}
    lines = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    shown = re.findall(r"!\[[^\]]+\]\(images/([^)]+)\)\n\n\*[^*]", lines)
    assert set(shown) == set(pictures)
    assert [name for name, path in pictures.items() if path.stat().st_size >= 200_000] == []
