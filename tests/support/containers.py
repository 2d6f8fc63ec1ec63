"""The smallest container there is, for tests of what all archives share: names and contents."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.errors import BadUpstream, Code
from gateway.inspection.sinks import MemorySink, Sink


@dataclass(frozen=True, slots=True)
class Item:
    number: int
    name: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


@dataclass(slots=True)
class Data:
    """Hands out a byte at a time. One that begins with BROKEN never comes to its end."""

    entry: Item
    proven: bool = False

    def chunks(self) -> Iterator[bytes]:
        for byte in self.entry.data:
            yield bytes([byte])
        if self.entry.data.startswith(b"BROKEN"):
            raise BadUpstream(Code.BODY_MALFORMED, "broken")
        self.proven = True


@dataclass(slots=True)
class Rebuilt:
    """Writes into `files`."""

    container: "Shelf"
    files: dict[str, bytes] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    finished: bool = False

    def copy(self, number: int) -> None:
        entry = self.container.entries[number - 1]
        self.files[entry.name] = entry.data

    def change(self, number: int, fill: Callable[[Sink], None]) -> None:
        entry, sink = self.container.entries[number - 1], MemorySink()
        fill(sink)
        self.files[entry.name] = sink.getvalue()
        self.changed.append(entry.name)

    def add(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def finish(self) -> None:
        self.finished = True


class Shelf:
    """A container of files in memory, and the last one that was made of it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        numbered = enumerate(files.items(), 1)
        self.entries = tuple(Item(number, name, data) for number, (name, data) in numbered)
        self.rebuilt = Rebuilt(self)

    def contents(self, number: int) -> Data:
        return Data(self.entries[number - 1])

    def writer(self, _sink: Sink) -> Rebuilt:
        self.rebuilt = Rebuilt(self)
        return self.rebuilt
