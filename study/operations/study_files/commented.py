"""A study of a folder of images as a file that people read and change."""

import math

from study.config.yaml_io import write_yaml
from study.operations.study_files.image_folder import FolderFacts
from study.operations.study_files.sizing import SizedStudy
from study.text import count, duration

# Key → what is said of it, on a line of its own before it.
_SECTIONS = {
    "fixed": "The same for every trial; what is left out has its default: app-study plugins",
    "search": "What is tried: a range, or a list of choices. Optuna proposes the trials.",
    "objective": "Few errors while in service, and few weights",
    "budget": "Trials that are proposed, and when the search ends whatever has been tried",
    "confirm": "What looks as good as dense, and dense, run again with fresh seeds",
    "resources": "A GPU for each trial",
}
_VALUES = {
    "data.root": "one sub-folder a class; moved: app-study launch … --data-root FOLDER",
    "data.image_size": "pixels a side; more sees more, and takes longer",
    "data.holdout_fraction": "never trained on: what trials are compared on",
    "model.architecture": "or any other of app-study plugins",
    "pruning.criterion": "which weights are kept",
    "training.total_samples": "examples of each trial, however long its stream",
    "training.lr": "the learning rate; worth searching: {low: 0.01, high: 0.3, log: true}",
    "pruning.final_density": "share of the weights that is left at the end",
    "pruning.schedule": "when they are pruned",
    "stream.num_megabatches": "in how many parts the images arrive",
    "points": "tried first: nothing pruned, at each length of the stream",
}


def commented_file(sized: SizedStudy, facts: FolderFacts, *, schema: str) -> str:
    """The text of the file.

    Args:
        sized: The study.
        facts: What its folder holds.
        schema: Path of the schema, relative to the file.
    """
    at_once = f"{count(sized.max_concurrent, 'trial')} at once"
    lines = [
        f"# yaml-language-server: $schema={schema}",
        f"# {count(facts.num_images, 'image')} to train on, {facts.num_classes} classes. About "
        f"{duration(3600 * sized.hours)} on this machine, {at_once}, by app-study plan.",
    ]
    for key, value in sized.raw.items():
        if key in _SECTIONS:
            lines += ["", f"# {_SECTIONS[key]}"]
        lines += [_commented(line) for line in _block(key, value)]
    return "\n".join(lines) + "\n"


def _block(key: str, value: object) -> list[str]:
    """A key and its value; domains, lists and their members on one line each."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [f"{key}:", *(f"  - {_flow(item)}" for item in value)]
    if isinstance(value, dict) and "." not in key:
        inner = [line for name, item in value.items() for line in _block(name, item)]
        return [f"{key}:", *(f"  {line}" for line in inner)]
    return [f"{key}: {_flow(value)}"]


def _flow(value: object) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return write_yaml(value, width=math.inf).removesuffix("...\n").strip()


def _commented(line: str) -> str:
    comment = _VALUES.get(line.strip().partition(":")[0])
    return f"{line}  # {comment}" if comment else line
