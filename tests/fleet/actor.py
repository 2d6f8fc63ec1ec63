"""A serving process that only acts: `python -m tests.fleet.actor PARENT FD`. What it does stands in
the file that the variable ACT names, read at each start and at each order.
"""

import os
import socket
import sys
from pathlib import Path

from gateway.fleet import messages
from gateway.fleet.messages import Ask, Begin, Report, Serving, State, Stop, Unfit, Unlinked
from gateway.living import HEADER

ACT = Path(os.environ["ACT"])


def main(sock: socket.socket) -> None:
    def say(report: Report) -> None:
        sock.sendall(messages.frame(report))

    while head := sock.recv(HEADER.size, socket.MSG_WAITALL):
        length, _ = HEADER.unpack(head)
        order = messages.read_order(sock.recv(length, socket.MSG_WAITALL))
        match ACT.read_text(), order:
            case "unfit", Begin():
                say(Unfit("no bundle"))
                return
            case "dies", Begin():
                return
            case _, Begin():
                say(Unlinked())
                say(Serving())
            case "silent", Ask():
                pass
            case "garbage", Ask():
                sock.sendall(HEADER.pack(7, 0) + b"no pack")
            case "stubborn", Stop():
                pass
            case _, Ask(number=number):
                say(State(number, {"keys": True}, {}, "r1", 2, b""))
            case _, Stop():
                return


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[2])))
