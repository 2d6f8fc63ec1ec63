"""JSON in a JavaScript assignment: read as JSON, unless JavaScript would read it otherwise."""

import json as stdlib
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Code
from gateway.inspection.formats import javascript
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.conftest import missing
from tests.support.reading import Format, permit

SCRIPT = Format(javascript)
ME = SubjectRef("account", "me")
TWEETS = BodySpec(Name.JAVASCRIPT, records="$[*]", subject=({"account": ("$.tweet.user_id",)},))
BEFORE = b"window.YTD.tweets.part0 = "


def tweets(*owners: str) -> bytes:
    return stdlib.dumps([{"tweet": {"user_id": owner}} for owner in owners], indent=1).encode()


@pytest.mark.parametrize(
    "before", [BEFORE, b"var x=", b"let $a_1 =\n", b"const a.b = ", b"__x = ", b"YTD\t=\r\n"]
)
@pytest.mark.parametrize("after", [b"", b";", b";\n", b"\n", b" \n;\r\n"])
def test_what_is_assigned_is_read_as_json_and_what_is_around_it_stays(
    before: bytes, after: bytes
) -> None:
    body = before + tweets("me", "foreign", "me") + after
    assert SCRIPT.owners(body, TWEETS) == {("me",): 2, ("foreign",): 1}
    kept, counts = SCRIPT.rewrite(body, TWEETS, permit(ME))
    assert kept.startswith(before) and kept.endswith(after)
    inside = kept[len(before) : len(kept) - len(after)]
    assert stdlib.loads(inside) == stdlib.loads(tweets("me", "me"))
    assert counts == Counts(seen=3, released=2, redacted=1)


@pytest.mark.parametrize(
    "body",
    [
        tweets("me"),
        b"",
        b"x = ",
        b"x = 1",
        b"x",
        b"x =",
        b"x = y = " + tweets("me"),
        b"x == " + tweets("me"),
        b"x += " + tweets("me"),
        b"f(" + tweets("me") + b")",
        b"x[0] = " + tweets("me"),
        b"// c\nx = " + tweets("me"),
        b"\xef\xbb\xbfx = " + tweets("me"),
        b"x" * 2000 + b" = " + tweets("me"),
        b"x = " + tweets("me") + b";;",
        b"x = " + tweets("me") + b";y = " + tweets("foreign"),
        b"x = " + tweets("me") + b".concat(y)",
        b"x = " + tweets("me") + b"// foreign",
        b"x = " + tweets("me")[:-1],
        b"x = [{'a': 1}]",
        b"x = [1,]",
        b"x = [{a: 1}]",
    ],
)
def test_anything_but_one_assignment_is_malformed(body: bytes) -> None:
    assert SCRIPT.refusal(body, TWEETS) is Code.BODY_MALFORMED


def proto(name: bytes) -> bytes:
    return b'x = [{"' + name + b'": {"tweet": {"user_id": "foreign"}}}]'


@pytest.mark.parametrize(
    "name", [b"__proto__", b"\\u005f_proto__", b"__\\u0070roto__", b"\\u005F\\u005Fproto__"]
)
@pytest.mark.parametrize("chunk", [1, 5, 4096])
def test_a_name_that_javascript_inherits_from_is_ambiguous(name: bytes, chunk: int) -> None:
    """`[{"__proto__": {"tweet": …}}][0].tweet` is there in JavaScript, and in no JSON."""
    reader = Format(javascript, chunk=chunk)
    assert reader.refusal(proto(name), TWEETS) is Code.BODY_AMBIGUOUS
    assert reader.owners(proto(b"proto"), TWEETS) == {(): 1}


def test_node_reads_the_same_records() -> None:
    node = shutil.which("node")
    if node is None:
        missing("there is no node on PATH")
    body, _ = SCRIPT.rewrite(BEFORE + tweets("me", "foreign", "me") + b";\n", TWEETS, permit(ME))
    program = (
        b"const window={YTD:{tweets:{}}};"
        + body
        + b"console.log(JSON.stringify(window.YTD.tweets.part0.map(t=>t.tweet.user_id)))"
    )
    said = subprocess.run([node, "-"], input=program, capture_output=True, check=True).stdout
    assert stdlib.loads(said) == ["me", "me"]


@settings(max_examples=100, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["me", "foreign", "; me", "a;\\n"]), max_size=6),
    chunk=st.integers(1, 40),
    after=st.sampled_from([b"", b";", b" ; \n", b"\n"]),
)
def test_how_the_body_is_cut_changes_nothing(owners: list[str], chunk: int, after: bytes) -> None:
    body = BEFORE + tweets(*owners) + after
    cut = Format(javascript, Limits(), chunk)
    assert cut.inspect(body, TWEETS).groups == SCRIPT.inspect(body, TWEETS).groups
    assert cut.rewrite(body, TWEETS, permit(ME)) == SCRIPT.rewrite(body, TWEETS, permit(ME))


@pytest.mark.parametrize(
    "text",
    [b'{"text": "obj.__proto__ = x"}', b'{"a": "\\"__proto__: 1"}', b'{"__proto_": "\\u0061"}'],
)
def test_a_text_about_prototypes_is_only_a_text(text: bytes) -> None:
    assert SCRIPT.owners(b"x = [" + text + b"]", TWEETS) == {(): 1}


@pytest.mark.parametrize("space", [0, 60, 5000])
def test_the_longest_spelling_of_the_name_is_found_however_it_is_cut(space: int) -> None:
    name = b"".join(b"\\u00%02x" % letter for letter in b"__proto__")
    for spelled in (name, name.replace(b"\\u005f", b"\\u005F")):
        body = proto(spelled).replace(b'":', b'"' + b" " * space + b":", 1)
        for chunk in (1, 2, 7, 55, 63, 64, 65):
            assert Format(javascript, chunk=chunk).refusal(body, TWEETS) is Code.BODY_AMBIGUOUS
