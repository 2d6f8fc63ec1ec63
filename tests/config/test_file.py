"""A YAML file → values that know their lines."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.faults import ConfigFaults
from gateway.config.file import MAX_SIZE, parse, read

TEXT = """\
listen: 0.0.0.0:8080
policy:
  engine: opa
endpoints:
  - name: orders
    labels: {country: no}
"""


def test_values_are_plain_and_exact() -> None:
    assert parse(TEXT, "x.yaml").value == {
        "listen": "0.0.0.0:8080",
        "policy": {"engine": "opa"},
        "endpoints": [{"name": "orders", "labels": {"country": "no"}}],
    }


def test_a_path_knows_where_its_value_and_its_key_stand() -> None:
    document = parse(TEXT, "x.yaml")
    assert str(document.place(("policy", "engine"))) == "x.yaml:3:11"
    assert str(document.place(("policy", "engine"), on_key=True)) == "x.yaml:3:3"
    assert str(document.place(("endpoints", 0, "labels", "country"))) == "x.yaml:6:23"
    assert document.place(("policy", "engine")).excerpt.splitlines() == [
        "      engine: opa",
        "              ^",
    ]


def test_what_is_missing_is_placed_at_what_it_is_missing_from() -> None:
    document = parse(TEXT, "x.yaml")
    assert str(document.place(("endpoints", 0, "body", "format"))) == "x.yaml:5:5"
    assert str(document.place(("policy", "bundle"))) == "x.yaml:2:1"
    assert str(document.place(("upstream",))) == "x.yaml"


def test_an_alias_stands_for_its_anchor() -> None:
    document = parse("a: &limits {body: 2GiB}\nb: *limits\n", "x.yaml")
    assert document.value == {"a": {"body": "2GiB"}, "b": {"body": "2GiB"}}
    assert str(document.place(("b", "body"))) == "x.yaml:1:19"


def test_aliases_that_stand_for_billions_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(ConfigFaults, match="aliases written out"):
        parse("\n".join(lines), "x.yaml")


def test_every_duplicate_key_is_named_with_the_line_of_the_first() -> None:
    document = parse("a: {b: 1}\nc: {d: 1, d: 2}\na: 3\n", "x.yaml")
    assert [str(fault) for fault in document.faults] == [
        "x.yaml:2:11: c.d: this key is already in line 2",
        "x.yaml:3:1: a: this key is already in line 1",
    ]


def test_keys_that_differ_only_in_case_are_two_keys() -> None:
    assert parse("a: 1\nA: 2\n", "x.yaml").faults == ()


def test_windows_and_old_mac_line_ends_count_as_lines() -> None:
    for end in ("\n", "\r\n", "\r"):
        document = parse(TEXT.replace("\n", end), "x.yaml")
        assert str(document.place(("policy", "engine"))) == "x.yaml:3:11"
        assert "engine: opa" in document.place(("policy", "engine")).excerpt


def test_a_missing_file_is_one_clear_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults) as found:
        read(tmp_path / "nothing.yaml")
    assert str(found.value) == f"{tmp_path}/nothing.yaml: can't be read: No such file or directory"


def test_a_folder_is_one_clear_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(("size", "passes"), [(MAX_SIZE, True), (MAX_SIZE + 1, False)])
def test_the_size_of_the_file_is_bounded(tmp_path: Path, size: int, passes: bool) -> None:
    file = tmp_path / "big.yaml"
    file.write_text("a: 1\n#" + "x" * (size - 6))
    if passes:
        assert read(file).value == {"a": 1}
    else:
        with pytest.raises(ConfigFaults, match="more than 1 MiB"):
            read(file)


def test_what_is_not_utf_8_is_placed_by_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigFaults, match=r"latin.yaml:2:1: not UTF-8"):
        read(file)
    file.write_bytes("\ufeffa: caf\u00e9\n".encode())
    assert read(file).value == {"a": "caf\u00e9"}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"ab01 \n\t:-?[]{},&*!|>'\"%@`#<~\\.xUu", "a: ", "- ", "\n  ", "&a ", "*a", "!!str ",
             "%YAML 1.1\n", "---\n", "\\U0011", "<<: ", "? ", "|2\n", "\r", "\ufeff", "\x00"]
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
def test_whatever_the_text_it_is_read_or_it_has_faults(text: str) -> None:
    try:
        document = parse(text, "x.yaml")
    except ConfigFaults as found:
        assert found.faults
    else:
        assert document.value is None or isinstance(document.value, str | int | float | list | dict)
