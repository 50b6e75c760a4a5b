"""What messages look like."""

from study.config.problems import MAX_SHOWN, ConfigError, Problem, shown, unknown_key


def test_a_message_is_one_screen_however_much_is_wrong() -> None:
    error = ConfigError([Problem(f"path.{n}", "is wrong") for n in range(1000)], source="a.yaml")
    lines = str(error).splitlines()
    assert lines[0] == "a.yaml: 1,000 problems"
    assert lines[-1] == f"  … and {1000 - MAX_SHOWN} more"
    assert len(lines) == MAX_SHOWN + 2


def test_the_same_problem_is_told_once() -> None:
    assert len(ConfigError([Problem("a", "b"), Problem("a", "b")]).problems) == 1


def test_a_problem_stays_on_its_line_and_leaves_the_terminal_alone() -> None:
    text = str(ConfigError([Problem("a\x1b[31m\nb", "c\r\nd\x07" + "e" * 100_000)]))
    assert len(text.splitlines()) == 2
    assert len(text) < 2000
    assert all(c.isprintable() or c == "\n" for c in text)


def test_values_are_shown_short_and_lists_as_lists() -> None:
    assert shown((1, (2, "a"))) == "[1, [2, 'a']]"
    assert len(shown("x" * 10_000)) == 60
    assert shown(10**5000) == "a number of thousands of digits"


def test_the_first_file_named_stays() -> None:
    error = ConfigError([Problem("a", "b")], source="first").with_source("second")
    assert error.source == "first"


def test_an_unknown_key_comes_with_the_nearest_and_all() -> None:
    assert unknown_key("fixd", ["name", "fixed"]) == (
        "unknown key; did you mean 'fixed'? (known: name, fixed)"
    )
    assert unknown_key("zzz", ["name"]) == "unknown key; (known: name)"
