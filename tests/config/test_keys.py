"""What may stand where, read off the settings classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from gateway.config.keys import (
    KEYS,
    Items,
    Key,
    Leaf,
    Named,
    Section,
    Unit,
    at,
    is_location,
    is_path,
    section,
    spell,
    spell_default,
)
from gateway.constraints import Before, Shown
from gateway.quantities import Duration, Size


@dataclass(frozen=True)
class Inner:
    size: Annotated[Size, Ge(1)] = 2**10
    wait: Duration | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Place:
    host: str


Written = Annotated[Place, Before(Place), Shown({"type": "string"})]


@dataclass(frozen=True)
class Outer:
    needed: str
    where: Written
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flag: bool = True


TREE = section(Outer)


def test_a_tree_has_the_keys_of_the_classes_in_their_order() -> None:
    assert list(TREE.keys) == ["needed", "where", "inner", "many", "named", "flag"]
    assert [name for name, key in TREE.keys.items() if key.required] == ["needed", "where"]


def test_shapes_follow_the_types() -> None:
    assert isinstance(at(TREE, ("inner",)), Section)
    assert isinstance(at(TREE, ("many",)), Items)
    assert at(TREE, ("many", 7)) == at(TREE, ("inner",))
    assert isinstance(at(TREE, ("named",)), Named)
    assert isinstance(at(TREE, ("named", "x")), Items)
    assert isinstance(at(TREE, ("named", "x", 0)), Leaf)
    assert at(TREE, ()) == TREE


def test_nothing_may_stand_where_no_key_is() -> None:
    for path in (("nope",), ("inner", "nope"), ("many", "size"), ("flag", "x"), ("inner", 0)):
        assert at(TREE, path) is None


def test_what_is_written_as_text_is_one_value() -> None:
    where = at(TREE, ("where",))
    assert isinstance(where, Leaf)
    assert where.kind is Place


def test_units_are_found_below_other_annotations() -> None:
    units = [
        leaf.unit
        for name in ("size", "wait", "file")
        if isinstance(leaf := at(TREE, ("inner", name)), Leaf)
    ]
    assert units == [Unit.BYTES, Unit.SECONDS, Unit.NONE]


def test_paths_are_known() -> None:
    assert is_path(at(TREE, ("inner", "file")))
    assert not is_path(at(TREE, ("needed",)))
    assert is_path(at(KEYS, ("decision_log", "pseudonym_key_file")))
    assert not is_path(at(KEYS, ("policy", "bundle")))
    assert is_location(at(KEYS, ("policy", "bundle")))
    assert not is_location(at(KEYS, ("policy", "data")))


def test_a_list_may_be_written_as_its_only_mapping() -> None:
    subject = ("endpoints", 0, "body", "subject")
    assert at(KEYS, (*subject, "account")) == at(KEYS, (*subject, 0, "account"))


def test_paths_are_spelled_as_people_write_them() -> None:
    assert spell(()) == ""
    assert spell(("endpoints", 0, "body", "format")) == "endpoints[0].body.format"
    assert spell(("labels", "a b")) == "labels['a b']"
    assert spell(("labels", "\x1b[31m")) == r"labels['\x1b[31m']"
    assert spell(("x-y", "z_1")) == "x-y.z_1"


def test_defaults_are_spelled_as_they_are_written() -> None:
    inner = section(Inner).keys
    assert spell_default(inner["size"]) == "1KiB"
    assert spell_default(inner["wait"]) is None
    assert spell_default(TREE.keys["flag"]) is True
    assert spell_default(TREE.keys["many"]) == []
    assert spell_default(KEYS.keys["listen"]) == "0.0.0.0:8080"
    assert spell_default(Key(Leaf(float, float, Unit.SECONDS), False, 0.2)) == "200ms"
