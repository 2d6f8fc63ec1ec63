"""Changes to bytes: small ones, so that much of what comes out is still almost right."""

import random
from collections.abc import Sequence

_TELLING = [
    *(bytes([one]) for one in b"\0\t\n\r \"'#&()*,-./0:;<=>?@[\\]_`{|}\x1e\x7f\x80\xff"),
    *(
        b"\r\n",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
    ),
    *(b"__proto__", b"\\u0000", b"\\ud800", b"1e999", b"-0", b"9007199254740993", b"null", b"//"),
    *(b'"owner"', b'"me"', b'"foreign"', b"data:", b"PK\x03\x04", b"\0\0\0\0", b"\xff\xff\xff\xff"),
]


def mutated(seeds: Sequence[bytes], dice: random.Random) -> bytes:
    """One of the seeds, changed in one to five places."""
    body = bytearray(dice.choice(seeds))
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5))):
        at, other = dice.randint(0, len(body)), dice.randint(0, len(body))
        match dice.randrange(6):
            case 0 if at < len(body):
                body[at] ^= 1 << dice.randrange(8)
            case 1:
                body[at : at + dice.choice((0, 0, 1, 4))] = dice.choice(_TELLING)
            case 2:
                del body[at : at + dice.choice((1, 1, 2, 8, 64))]
            case 3:
                body[at:at] = body[min(at, other) : max(at, other)][:512]
            case 4:
                donor = dice.choice(seeds)
                begin = dice.randint(0, len(donor))
                body[at : at + dice.choice((0, 8))] = donor[begin : begin + dice.randint(1, 64)]
            case _:
                del body[min(at, other) if dice.random() < 0.1 else len(body) :]
    return bytes(body)
