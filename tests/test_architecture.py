"""Which way imports go: a row a folder, the lower layers first."""

import ast
import collections
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("study", "analysis")
MOST_MODULES = 18


@dataclass(frozen=True)
class Layer:
    """What the modules of a folder may import, apart from each other and the standard library.

    ``ours`` are folders in rows above, with :data:`GROUND` and the layers of ``on`` included.
    """

    ours: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


LAYERS: dict[str, Layer] = {}


def layer(folder: str, ours: str = "", others: str = "") -> None:
    """A row: what stands in an earlier row may be named, and what that may import comes along."""
    above = {name for row in ours.split() for name in (row, *LAYERS[row].ours)}
    ground = {folder.partition(".")[0], "study"} & set(LAYERS)
    LAYERS[folder] = Layer(frozenset(above | ground), frozenset(others.split()))


# Ground: names, numbers, errors, text.
layer("study")
# The science: no Ray, no YAML.
layer("study.data", "", "numpy torch")
layer("study.data.sources", "", "numpy yaml PIL sklearn torchvision")
layer("study.models", "", "torch safetensors")
layer("study.models.torchvision_networks", "", "torch torchvision")
layer("study.pruning", "study.models", "torch numpy")
layer("study.pruning.channels", "study.models", "torch numpy")
layer("study.pruning.granularity", "study.pruning", "torch")
layer("study.training", "study.data study.pruning", "torch numpy")
# A study file, checked; what a study tells an experiment tracker.
layer("study.config", "study.training", "pydantic yaml")
layer("study.config.rules", "study.training")
layer("study.config.schema", "study.config", "pydantic")
layer("study.tracking", "", "pyarrow")
layer("study.tracking.artifacts", "", "pyarrow matplotlib")
layer("study.tracking.mlflow", "", "mlflow numpy sqlalchemy filelock")
# One trial; a study on disk and at a URL; what to try, when to stop, who wins.
layer("study.trial", "study.config study.tracking", "torch")
layer("study.store", "study.config", "filelock")
layer("study.store.remote", "", "fsspec")
layer("study.search", "study.trial study.store", "optuna ray")
layer("study.simulation", "study.search", "numpy optuna pyarrow rich")
layer("study.export", "study.trial", "torch numpy safetensors")
layer("study.measurement", "study.export", "torch numpy")
# One process's work; Ray's adapters; what can be done with a study.
layer("study.session", "study.search study.measurement", "rich")
layer("study.tune", "study.session", "ray optuna rich")
layer("study.tune.cluster", "study.session", "ray torch")
layer("study.operations", "study.tune", "rich torch")
layer("study.operations.study_files", "study.operations", "numpy torch PIL")
# MLflow → numbers → which trials may be compared → how it is said → a folder a section → the page.
FRAMES = "pandas numpy pyarrow"
layer("analysis.statistics", "", f"{FRAMES} scipy optuna opda")
layer("analysis", "analysis.statistics")
layer("analysis.runs", "analysis study.tracking", f"{FRAMES} mlflow sqlalchemy")
layer("analysis.exports", "analysis.runs", f"{FRAMES} optuna sqlalchemy")
layer("analysis.comparison", "analysis.runs", FRAMES)
layer("analysis.figures", "", "plotly")
layer("analysis.presentation", "analysis.comparison analysis.figures", f"{FRAMES} rich")
layer("analysis.reports", "analysis.presentation", FRAMES)
SECTIONS = (
    "architectures claims confirmed curves importance layers megabatches methods pareto search "
    "waiting"
)
for section in SECTIONS.split():
    layer(f"analysis.reports.{section}", "analysis.presentation", f"{FRAMES} scipy")
ANSWERING = "analysis.reports analysis.reports.confirmed analysis.reports.waiting"
layer("analysis.page", ANSWERING, f"{FRAMES} jinja2 plotly")
# A study from its file to its answer; the words typed after app-study.
layer("study.workflow", "study.operations study.simulation analysis.page", "rich yaml pandas")
layer("study.commands", "study.workflow", "typer rich")
layer("study.commands.study_files", "study.operations", "typer rich")
# The doors: two command lines, and what notebooks import.
DOORS = {
    "study.cli": "study.commands",
    "study.api": "study.workflow",
    "analysis.cli": "analysis.page analysis.exports",
    "analysis": "analysis.runs",
}


def source_files() -> Iterator[tuple[str, Path]]:
    """Dotted name and path of every module of ours."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(source_files())


def imported_names(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, wherever it stands, type-checking ones included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                yield node.lineno, dotted if dotted in MODULES else node.module


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def folder_of(module: str) -> str:
    return ".".join(MODULES[module].parent.relative_to(ROOT).parts)


def family(folder: str) -> str:
    """A folder with its sub-folders, which know each other; each report is by itself."""
    parts = folder.split(".")
    return folder if parts[:2] == ["analysis", "reports"] else ".".join(parts[:2])


def is_allowed(module: str, name: str) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    folder = folder_of(module)
    row = LAYERS[folder]
    if module in DOORS:
        rooms = DOORS[module].split()
        behind = frozenset().union(*(LAYERS[room].ours for room in rooms))
        row = Layer(row.ours | behind | {*rooms}, row.others | {"typer", "rich"})
    if top not in PACKAGES:
        return top in row.others
    if name in DOORS:
        return name == "analysis"
    # A package's own file holds nothing but its facts, such as the version.
    if name == "study":
        return True
    return family(folder_of(name)) in {family(ours) for ours in (*row.ours, folder)}


def test_every_folder_has_a_row() -> None:
    assert {folder_of(module) for module in MODULES} == set(LAYERS)


@pytest.mark.parametrize("folder", LAYERS)
def test_a_folder_imports_only_what_stands_below_it(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for module, path in MODULES.items()
        if folder_of(module) == folder
        for line, name in imported_names(path)
        if not is_allowed(module, name)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_imports_run_in_a_circle_not_even_for_type_checking() -> None:
    graph = {
        module: {name for _, name in imported_names(path) if name in MODULES and name != module}
        for module, path in MODULES.items()
        if path.name != "__init__.py"
    }
    # Modules are taken away as long as one is left that imports none of the others.
    left = dict(graph)
    while free := [module for module, names in left.items() if not names & left.keys()]:
        for module in free:
            del left[module]
    assert not left, f"a circle goes through {sorted(left)}"


def test_no_folder_is_a_hall() -> None:
    sizes = collections.Counter(
        folder_of(module) for module, path in MODULES.items() if path.name != "__init__.py"
    )
    assert {folder: n for folder, n in sizes.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_could_mean_several_things_is_given_once_in_a_package(package: str) -> None:
    unclear = {
        "errors", "progress", "savings", "models", "ledger", "claims", "points", "selection",
        "store",
    }  # fmt: skip
    found = collections.defaultdict(list)
    for module, path in MODULES.items():
        if is_within(module, package) and path.stem in unclear:
            found[path.stem].append(module)
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


def test_mlflow_ray_and_optuna_are_each_imported_in_their_own_rooms() -> None:
    rooms = {
        "mlflow": {"study.tracking.mlflow", "analysis.runs"},
        "ray": {"study.tune", "study.tune.cluster", "study.search"},
        "optuna": {
            "study.search",
            "study.simulation",
            "study.tune",
            "analysis.statistics",
            "analysis.exports",
        },
    }
    found = collections.defaultdict(set)
    for module, path in MODULES.items():
        for _, name in imported_names(path):
            found[name.partition(".")[0]].add(folder_of(module))
    assert {library: found[library] for library in rooms} == rooms


def test_package_files_import_nothing_so_that_a_part_can_be_had_without_the_rest() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            ours = [n for _, n in imported_names(path) if n.startswith("study")]
            assert ours == [], module


@pytest.mark.parametrize(
    "module",
    [
        m
        for m in MODULES
        if any(is_within(m, part) for part in ("study.cli", "study.commands", "study.workflow"))
    ],
)
def test_the_command_line_imports_heavy_packages_only_where_they_are_used(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    tops = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    heavy = {name for name in tops if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in heavy} <= {"typer", "rich", "study"}
    # Of our own only what imports nothing heavy itself: the ground.
    ours = {name for name in heavy if name.startswith("study.")}
    light = {"study", "study.commands", "study.commands.study_files", "study.workflow"}
    others = {name for name in ours if folder_of(name) not in light}
    assert others <= {"study.config.problems", "study.session.console"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Each call, by the source text of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("module", MODULES)
def test_nothing_that_is_read_can_run_code(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    safe_loaders = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(
            ast.unparse(base) in ("yaml.SafeLoader", "yaml.CSafeLoader") for base in node.bases
        )
    }
    for called, call in calls(tree):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        where = f"{module}:{call.lineno}: {called}"
        if called == "torch.load":
            assert given.get("weights_only") == "True", where
        if called in ("yaml.load", "yaml.load_all"):
            loader = given.get("Loader")
            assert loader in safe_loaders or loader in ("yaml.SafeLoader",), where
        if called in ("np.load", "numpy.load"):
            assert given.get("allow_pickle", "False") == "False", where
        assert called not in ("yaml.unsafe_load", "yaml.full_load"), where
        assert called not in ("pickle.load", "pickle.loads", "eval", "exec"), where


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


BLOCK = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in BLOCKED:
            raise ImportError(f'{name} is blocked')

sys.meta_path.insert(0, Refusing())
"""


def test_a_trial_trains_where_ray_mlflow_and_optuna_cannot_be_imported() -> None:
    program = f"BLOCKED = {{'ray', 'mlflow', 'optuna'}}{BLOCK}" + (
        "from study.config.plugins import load_builtin_plugins\n"
        "load_builtin_plugins()\n"
        "from study.trial.assembly import assemble\n"
        "from study.trial.datasets import dataset_key, load_dataset\n"
        "from study.trial.read_data import load_and_check\n"
        "from study.config.trial import parse_trial\n"
        "trial = parse_trial({\n"
        "    'data': {'dataset': 'synthetic', 'num_examples': 80, 'image_size': 4},\n"
        "    'stream': {'num_megabatches': 2},\n"
        "    'model': {'architecture': 'mlp', 'hidden_sizes': [4]},\n"
        "    'pruning': {'schedule': 'app', 'final_density': 0.5},\n"
        "    'training': {'epochs': 1},\n"
        "})\n"
        "(dataset,) = load_and_check({'it': trial}).values()\n"
        "learner = assemble(trial, dataset)\n"
        "assert len(list(learner.run())) == 4\n"
        "sys.stdout.write(f'{learner.mask.density:.2f}')\n"
    )
    done = run_python(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.50"


def test_torchvision_is_imported_by_none_but_those_that_use_it() -> None:
    # It takes longer than torch itself, in each process of a study.
    program = f"BLOCKED = {{'torchvision'}}{BLOCK}" + (
        "import study.operations.launch, study.tune.searcher, study.tune.trainable\n"
        "from study.config.loading import load_study\n"
        "from study.trial.read_data import load_and_check\n"
        "from pathlib import Path\n"
        "study = load_study(Path('search_spaces/quickstart.yaml'))\n"
        "load_and_check({trial.key(): trial for trial in study.corners()})\n"
    )
    done = run_python(program)
    assert done.returncode == 0, done.stderr


def test_reports_are_read_where_torch_and_ray_cannot_be_imported() -> None:
    names = [m for m in MODULES if m.startswith("analysis") and not m.endswith("__main__")]
    imports = "".join(f"import {name}\n" for name in names)
    done = run_python(f"BLOCKED = {{'torch', 'torchvision', 'ray'}}{BLOCK}{imports}")
    assert done.returncode == 0, done.stderr
