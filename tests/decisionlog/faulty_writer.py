"""The writer of a log on a disk that fails when it is told to: see `support.FaultyDisk`.

python -m tests.decisionlog.faulty_writer PATH PARENT FD
"""

import sys
from pathlib import Path

from gateway.decisionlog.process import main
from tests.decisionlog.support import FaultyDisk

if __name__ == "__main__":
    path, parent, fd = sys.argv[1:]
    faulty = FaultyDisk(Path(path))
    faulty.starts += 1
    main(parent, fd, faulty.disk)
