"""YAML 1.2, strict and bounded."""

import pytest

from gateway.config.nodes import MAX_VALUES, List, Map, Scalar, Stop, compose, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("FALSE", False),
        ("0", 0), ("-7", -7), ("8080", 8080), ("1.5", 1.5),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("12:30:45", "12:30:45"), ("2026-01-31", "2026-01-31"), ("0.0.0.0:8080", "0.0.0.0:8080"),
        ("1.2.3", "1.2.3"), ("30s", "30s"), ("64KiB", "64KiB"), ("tRuE", "tRuE"),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["010", "00", "0o17", "0x1F", "0b11", "1_000", "1e3", "1.", ".5", "9" * 19, "-012"]
)
def test_a_number_that_readers_take_differently_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimal digits"):
        scalar(text)


def test_quoted_text_is_never_a_number_or_a_boolean() -> None:
    node, notes = compose("""["1", 'true', "010", '~']""")
    assert isinstance(node, List)
    assert [item.value for item in node.items if isinstance(item, Scalar)] == [
        "1", "true", "010", "~",
    ]  # fmt: skip
    assert notes == []


def test_every_node_knows_its_line_and_column() -> None:
    node, _ = compose("a: 1\nbcd:\n  - x\n  -   y\n")
    assert isinstance(node, Map)
    (_, mark, one), (_, other_mark, items) = node.items
    assert (mark, one.mark, other_mark) == ((1, 1), (1, 4), (2, 1))
    assert isinstance(items, List)
    assert [item.mark for item in items.items] == [(3, 5), (4, 7)]


def test_an_empty_text_has_no_node() -> None:
    assert compose("") == (None, [])
    assert compose("# nothing but a comment\n") == (None, [])


@pytest.mark.parametrize(
    ("text", "mark", "message"),
    [
        ("a: !!python/object:os.system x", (1, 4), "tags"),
        ("a: !local [1]", (1, 4), "tags"),
        ("a: ! 1", (1, 4), "tags"),
        ("a: 1\n<<: {b: 2}", (2, 1), "merge keys"),
        ("1: a", (1, 1), "a key must be text"),
        ("true: a", (1, 1), "a key must be text"),
        ("? [a, b]\n: c", (1, 3), "a key must be text"),
        ("a: &x 1\nb: &x 2", (2, 4), "used twice"),
        ("a: 010", (1, 4), "plain decimal digits"),
        ('a: "\\uD800"', (1, 4), "half a character"),
    ],
)
def test_what_can_be_passed_over_is_noted_with_its_place(
    text: str, mark: tuple[int, int], message: str
) -> None:
    node, notes = compose(text)
    assert node is not None
    assert [where for where, _ in notes] == [mark]
    assert message in notes[0][1]


@pytest.mark.parametrize(
    ("text", "mark", "message"),
    [
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document"),
        ("%YAML 1.1\n---\na: yes\n", (2, 1), "only YAML 1.2"),
        ("a: *nowhere", (1, 4), "an alias"),
        ("a: &a [*a]", (1, 8), "an alias"),
        ("a: b: c", (1, 5), "a colon"),
        ("a:\n\t- x", (2, 1), "a tab"),
        ("a: [1, 2", (1, 9), "a comma or ]"),
        ("a: {b: 1", (1, 9), "a comma or }"),
        ("a: 'x", (1, 6), "never closed"),
        ("a: @x", (1, 4), "put it in quotes"),
        ("- a\nb: 1", (2, 1), "indentation"),
        ('a: "\\q"', (1, 6), "unknown escape"),
        ("a: *", (1, 5), "a name must follow"),
        ("a: \x01", (1, 1), "a character"),
        ('a: "\\UFFFFFFFF"', (1, 1), "a character"),
        ("a: 1\nb: x\u2028y\n", (2, 1), "a line end"),
        ("a: 1\nb: x\x85y\n", (2, 1), "a line end"),
        ("a: |1234\n x", (1, 6), "this is not YAML"),
    ],
)
def test_what_makes_no_sense_stops_at_its_place(
    text: str, mark: tuple[int, int], message: str
) -> None:
    with pytest.raises(Stop) as stopped:
        compose(text)
    assert stopped.value.mark == mark
    assert message in stopped.value.message


def test_a_yaml_1_2_directive_is_read() -> None:
    node, notes = compose("%YAML 1.2\n---\na: yes\n")
    assert isinstance(node, Map)
    assert notes == []


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "- " * 100_000, "? " * 100_000])
def test_nesting_is_bounded(text: str) -> None:
    with pytest.raises(Stop, match="nested too deeply"):
        compose(text)


def test_the_number_of_values_is_bounded() -> None:
    with pytest.raises(Stop) as stopped:
        compose("[" + "a," * (MAX_VALUES + 1) + "]")
    assert "values" in stopped.value.message
