"""Docstrings read for their settings."""

from study.docstrings import attribute_docs, summary


class Parent:
    """A parent.

    Attributes:
        first: Of two
            lines: with a colon.
        second: Said here.
    """


class Child(Parent):
    """A child.

    Attributes:
        second: Said anew.

    More: than that.
    """


def test_attributes_are_read_over_lines_and_from_what_is_extended() -> None:
    assert attribute_docs(Child) == {
        "first": "Of two lines: with a colon.",
        "second": "Said anew.",
    }
    assert summary(Child) == "A child."


def test_a_class_without_docstring_says_nothing() -> None:
    bare = type("Bare", (), {})
    assert attribute_docs(bare) == {}
    assert summary(bare) == ""
