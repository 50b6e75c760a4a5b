"""Which way imports go."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("study", "analysis")
BASE = frozenset(
    f"study.{name}"
    for name in (
        "constraints",
        "credentials",
        "registry",
        "metrics",
        "results",
        "seeding",
        "wording",
    )
)
PLUGGED = frozenset({"study.data", "study.models", "study.pruning"})
CORE = (
    BASE
    | PLUGGED
    | {"study.training", "study.config", "study.plugins", "study.assembly", "study.datasets"}
)


@dataclass(frozen=True)
class Layer:
    """What the modules of a layer may import, apart from themselves and the standard library."""

    ours: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


def layer(ours: frozenset[str] = frozenset(), others: str = "") -> Layer:
    return Layer(ours, frozenset(others.split()))


# By module or package; the longest name that fits counts.
LAYERS: dict[str, Layer] = {
    "study": layer(),
    **dict.fromkeys(BASE, layer()),
    "study.data": layer(BASE, "numpy torch"),
    "study.data.torchvision_source": layer(BASE, "numpy torchvision"),
    "study.data.torchvision_datasets": layer(BASE, "torchvision"),
    "study.data.decoding": layer(BASE, "numpy PIL"),
    "study.data.class_map": layer(BASE, "yaml"),
    "study.data.digits": layer(BASE, "numpy sklearn"),
    "study.models": layer(BASE, "torch"),
    "study.models.of_torchvision": layer(BASE, "torch torchvision"),
    "study.pruning": layer(BASE, "torch"),
    "study.pruning.selection": layer(BASE, "numpy torch"),
    "study.plugins": layer(PLUGGED),
    "study.training": layer(BASE | PLUGGED, "torch numpy"),
    "study.config": layer(BASE | PLUGGED | {"study.plugins"}, "pydantic yaml"),
    "study.assembly": layer(CORE, "torch"),
    "study.datasets": layer(CORE),
    "study.checks": layer(CORE, "torch"),
    "study.local": layer(CORE | {"study.checks"}, "torch rich"),
    "study.planning": layer(CORE | {"study.checks"}, "torch rich"),
    "study.listing": layer(CORE, "rich"),
    "study.export": layer(
        CORE | {"study.tune.describe", "study.tracking.names"},
        "torch numpy safetensors",
    ),
    "study.tracking": layer(BASE | {"study.config"}),
    "study.tracking.names": layer(),
    "study.tracking.history": layer(BASE, "pyarrow"),
    "study.tracking.reading": layer(BASE, "pyarrow"),
    "study.tracking.runs_table": layer(BASE, "pyarrow"),
    "study.tracking.stored_run": layer(),
    "study.tracking.pictures": layer(BASE, "matplotlib"),
    "study.tracking.mlflow_tracker": layer(BASE | {"study.config"}, "mlflow sqlalchemy filelock"),
    "study.tracking.mlflow_models": layer(BASE, "mlflow numpy"),
    "study.tracking.mlflow_registry": layer(BASE, "mlflow"),
    "study.storage": layer(BASE, "fsspec"),
    "study.tune": layer(frozenset({"study"}), "ray optuna torch rich filelock"),
    "study.simulation": layer(frozenset({"study"}), "numpy optuna pyarrow rich"),
    "study.commands": layer(frozenset({"study", "analysis"}), "typer rich"),
    "study.cli": layer(frozenset({"study.commands", "study.user_errors"}), "typer"),
    "study.user_errors": layer(frozenset({"study", "analysis"})),
    "analysis": layer(
        frozenset(
            {
                "study.constraints",
                "study.metrics",
                "study.registry",
                "study.tracking.names",
                "study.tracking.runs_table",
                "study.tracking.stored_run",
                "study.credentials",
                "study.wording",
            }
        ),
        "mlflow pandas pyarrow scipy optuna plotly jinja2 numpy rich typer",
    ),
}


def source_files() -> Iterator[tuple[str, Path]]:
    """Dotted name and path of every module of ours."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(source_files())


def imported_names(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, wherever it stands."""
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


def layer_of(module: str) -> str:
    return max((name for name in LAYERS if is_within(module, name)), key=len)


def home(module: str) -> str:
    """The package that a module may import from freely: its own."""
    parts = module.split(".")
    if parts[0] == "analysis":
        return "analysis"
    return ".".join(parts[:2])


def is_allowed(module: str, name: str) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    allowed = LAYERS[layer_of(module)]
    if top not in PACKAGES:
        return top in allowed.others
    # `from study import __version__` is a fact of the package, and imports nothing.
    return (
        name == "study"
        or (is_within(name, home(module)) and module != "study.tracking.names")
        or any(is_within(name, ours) for ours in allowed.ours)
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    path = MODULES[module]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} (layer {layer_of(module)})"
        for line, name in imported_names(path)
        if not is_allowed(module, name)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_base_layer_modules_do_not_even_import_each_other() -> None:
    for module in BASE:
        ours = [n for _, n in imported_names(MODULES[module]) if n.startswith(PACKAGES)]
        assert ours == []


def test_package_files_import_nothing_so_that_a_part_can_be_had_without_the_rest() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            ours = [n for _, n in imported_names(path) if n.startswith("study")]
            assert ours == [], module


@pytest.mark.parametrize(
    "module", [m for m in MODULES if is_within(m, "study.cli") or is_within(m, "study.commands")]
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
    # Of our own only what imports nothing heavy itself.
    light = (
        "study.credentials", "study.tune.errors", "study.user_errors", "study.wording",
        "study.commands",
    )  # fmt: skip
    ours = {name for name in heavy if name.startswith("study.")}
    assert all(any(is_within(name, package) for package in light) for name in ours)


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
        "from study.plugins import load_builtin_plugins\n"
        "load_builtin_plugins()\n"
        "from study.assembly import assemble\n"
        "from study.datasets import dataset_key, load_dataset\n"
        "from study.checks import load_and_check\n"
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
        "import study.tune.launcher, study.tune.searcher, study.tune.trainable\n"
        "from study.config.loading import load_study\n"
        "from study.checks import load_and_check\n"
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
