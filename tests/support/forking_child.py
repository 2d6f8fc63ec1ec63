"""A child that forks: `python -m … PARENT FD`. It says how the one that it forked ended."""

import os
import socket
import sys

from gateway.living import living

if __name__ == "__main__":
    parent, fd = sys.argv[1:]
    with living("a forking child", int(parent)):
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        socket.socket(fileno=int(fd)).sendall(str(code).encode())
