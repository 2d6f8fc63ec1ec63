"""Plain words: no jargon, no value, and what was probably meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.keys import KEYS
from gateway.config.wording import did_you_mean, found, unknown_key
from tests.config.conftest import MINIMAL, Faults


def test_the_nearest_name_is_suggested() -> None:
    assert did_you_mean("jsno", ["json", "ndjson", "csv"]) == "; did you mean `json`?"
    assert did_you_mean("Pseudonym-Key", ["pseudonym_key_file"]) == (
        "; did you mean `pseudonym_key_file`?"
    )
    assert did_you_mean("zzz", ["json", "csv"]) == ""


def test_an_unknown_key_is_answered_by_the_nearest_one_or_by_all() -> None:
    assert unknown_key(("listn",), KEYS) == "unknown key; did you mean `listen`?"
    assert unknown_key(("spool", "zzz"), KEYS) == (
        "unknown key; the keys here are `directory`, `limit`, `memory`, `wait`"
    )


def test_a_key_in_the_wrong_place_is_answered_by_the_right_one() -> None:
    assert unknown_key(("engine",), KEYS) == "unknown key here; did you mean `policy.engine`?"


def test_kinds_of_values_have_plain_names() -> None:
    values = [None, True, 1, 1.5, "x", [], {}]
    assert [found(value) for value in values] == [
        "nothing", "true", "a number", "a fraction", "text", "a list", "a mapping",
    ]  # fmt: skip


ADDED = {
    "log_level: INFO": "log_level: `INFO` is not one of `debug`, `info`, `warning`, `error`;"
    " did you mean `info`?",
    "log_level: 5": "log_level: expected one of `debug`, `info`, `warning`, `error`,"
    " found a number",
    "spool: []": "spool: expected a mapping, found a list",
    "spool: {limit: 5}": "spool.limit: expected a size such as 64KiB; the units are B, kB, MB,"
    " GB, KiB, MiB, GiB",
    "spool: {directory: 5}": "spool.directory: expected text, found a number: put it in quotes",
    "spool: {directory: }": "spool.directory: expected text, found nothing",
    "inspection: {workers: 0}": "inspection.workers: must be at least 1",
    "inspection: {workers: 65}": "inspection.workers: must be at most 64",
    "inspection: {workers: '2'}": "inspection.workers: expected a whole number, found text",
    "inspection: {workers: 1.0}": "inspection.workers: expected a whole number, found a fraction",
    "inspection: {workers: true}": "inspection.workers: expected a whole number, found true",
    "policy: {request_phase: yes}": "policy.request_phase: expected true or false;"
    " in YAML 1.2 everything else is text",
    "policy: {request_phase: 1}": "policy.request_phase: expected true or false, found a number",
    "policy: {deadline: 2m}": "policy.deadline: must be at most 60s",
    "policy: {deadline: 0s}": "policy.deadline: must be more than 0s",
    "policy: {engine: opa}": "policy: engine: opa needs the URL of OPA, as in opa:"
    " http://127.0.0.1:8181",
    "client: {limits: {target: 1B}}": "client.limits.target: must be at least 64B",
}


@pytest.mark.parametrize(("line", "message"), ADDED.items())
def test_every_kind_of_fault_is_said_in_plain_words(
    faults: Faults, line: str, message: str
) -> None:
    (fault,) = faults(MINIMAL + line + "\n")
    assert fault.split(": ", 1)[1] == message


IN_ENDPOINT = {
    'subject: {account: ""}': "subject.account: must not be empty",
    "subject: {account: []}": "subject.account: at least 1 needed",
    "subject: {account: [7]}": "subject.account[0]: expected text, found a number:"
    " put it in quotes",
    "subject: 7": "subject: expected a list, found a number",
    "totals: 5": "totals: expected a list, found a number",
    "totals: [5, 6]": "totals[0]: expected text, found a number: put it in quotes",
}


@pytest.mark.parametrize(("key", "message"), IN_ENDPOINT.items())
def test_a_list_that_may_be_written_as_one_value_has_one_fault(
    faults: Faults, key: str, message: str
) -> None:
    text = MINIMAL.replace('subject: {account: "$.customer.id"}', key)
    assert text != MINIMAL
    first = faults(text)[0]
    assert first.split(": ", 1)[1] == f"endpoints[0].body.{message}"
    assert len(faults(text)) == (2 if "6" in key else 1)


@given(st.text(min_size=1, max_size=60).filter(lambda text: text != "info"))
def test_a_word_of_a_closed_set_is_shown_only_if_it_is_short_and_printable(word: str) -> None:
    from gateway.config.wording import _not_one_of

    message = _not_one_of(["debug", "info"], word)
    assert message.isprintable()
    assert (f"`{word}`" in message) == (word == "debug" or (len(word) <= 40 and word.isprintable()))
