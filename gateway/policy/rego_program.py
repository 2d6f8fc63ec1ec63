"""The library that ships, compiled: regorus' virtual machine in the place of its interpreter.

A decision takes the machine a quarter of the interpreter's time, but it can't be trusted with any
Rego there is. In the version that is pinned it calls a partial object without members undefined,
and so it does with a builtin's error, which is to be one; and it gives up after 25,000 steps.

So it runs one text only: the library, byte by byte, with a deployment document that the library's
schema lets through. That the machine and the interpreter mean the same by it is tested with
thousands of documents and questions, and the digest here is of the text that was tested. Where the
machine has no answer, the interpreter is asked.
"""

import hashlib
from collections.abc import Mapping

import regorus

LIBRARY = "5386a9688ca46c3539496df05ae5fa43d043a4e202792bea2e78ad03149087a7"
"""Of the modules and the schema: what `digest` gives for `policies/`."""

MOST_DATA = 256 * 1024
"""Bytes of data, which are there a second time, for the machine."""
_MOST_QUESTION = 32 * 1024
"""Bytes of a question: a longer one takes too many steps."""

_NOTHING = "{}"


def digest(modules: Mapping[str, str], schema: bytes | None) -> str:
    """Of a bundle's modules by their paths, and its schema of deployment documents."""
    texts = {name: text.encode() for name, text in sorted(modules.items())} | {"": schema or b""}
    hashed = hashlib.sha256()
    for name, text in texts.items():
        hashed.update(f"{name}\n{len(text)}\n".encode() + text)
    return hashed.hexdigest()


class Program:
    """Answers by the virtual machine what `rule` is: a list, which is how it tells a value from
    none."""

    def __init__(self, modules: Mapping[str, str], rule: str, data: str) -> None:
        """Raises RuntimeError where it can't be compiled."""
        texts = list(modules.items())
        self._program = regorus.Program.compile_from_modules(_NOTHING, texts, [rule])
        self._rule, self._data = rule, data
        self._machine = self._fresh()

    def _fresh(self) -> regorus.Rvm:
        machine = regorus.Rvm()
        machine.load_program(self._program)
        machine.set_data_json(self._data)
        return machine

    def evaluate(self, question: str) -> str | None:
        """The rule's value as JSON text; None where the machine has none."""
        if len(question) > _MOST_QUESTION:
            return None
        try:
            self._machine.set_input_json(question)
            found = str(self._machine.execute_entry_point(self._rule))
        except RuntimeError:
            self._machine = self._fresh()  # what a failure leaves behind is nobody's input
            return None
        return found if found.startswith("[") else None
