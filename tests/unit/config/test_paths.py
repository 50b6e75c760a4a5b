"""Dotted paths: which there are."""

import re

from study.config.paths import path_problem
from study.config.plugins import load_builtin_plugins
from study.config.sections import SECTIONS

load_builtin_plugins()


def test_every_path_that_a_message_offers_is_one() -> None:
    for section in SECTIONS:
        problem = path_problem(f"{section}.nothing_of_the_kind", where="fixed")
        assert problem is not None
        offered = re.findall(rf"{section}\.\w+", problem.message.partition("(known: ")[2])
        assert offered
        assert [p for p in offered if path_problem(p, where="fixed") is not None] == []
