"""A worker entry for the tests of `gateway.workers`: obeys what its job says."""

import ctypes
import os
import time
from collections.abc import Callable


def serve(setup: bytes) -> Callable[[bytes, list[int]], bytes]:
    if setup == b"broken":
        raise RuntimeError("canary-setup")

    def answer(job: bytes, fds: list[int]) -> bytes:
        match job:
            case b"forever":
                while True:
                    time.sleep(1)
            case b"die":
                os._exit(3)
            case b"raise":
                raise RuntimeError("canary-job")
            case b"read":
                return os.pread(fds[0], 100, 0)
            case b"wait":
                return os.read(fds[0], 1)
            case b"pid":
                return str(os.getpid()).encode()
            case b"dumpable":
                return str(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)).encode()
            case _:
                return setup + job

    return answer
