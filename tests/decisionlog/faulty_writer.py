"""The writer of a log on a disk that fails when it is told to: see `support.FaultyDisk`.

python -m tests.decisionlog.faulty_writer PATH FD
"""

import sys
from pathlib import Path

from gateway.decisionlog.process import main
from tests.decisionlog.support import FaultyDisk

if __name__ == "__main__":
    main(int(sys.argv[2]), FaultyDisk(Path(sys.argv[1])).disk)
