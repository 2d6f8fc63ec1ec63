"""A writer whose reports can't be true, until the process after it takes its place.

python -m tests.decisionlog.lying_writer LIE MARKER PARENT FD
"""

import sys
from dataclasses import replace
from pathlib import Path

from gateway.decisionlog import messages
from gateway.decisionlog.file import Disk
from gateway.decisionlog.messages import Kind, Report
from gateway.decisionlog.process import main
from gateway.living import HEADER

_TRUE = messages.report_frame


def lie(report: Report) -> bytes:
    if not report.syncs:
        return _TRUE(report)  # that it is open
    match sys.argv[1]:
        case "settled":
            return _TRUE(replace(report, settled=report.settled + 1))
        case "refusals":
            return _TRUE(replace(report, refusals=report.refusals + 1))
        case "confessed":
            return _TRUE(replace(report, confessed=report.confessed + 1))
        case _:
            return HEADER.pack(7, Kind.REPORT) + b"no pack"


if __name__ == "__main__":
    _, _, marker, parent, fd = sys.argv
    if not Path(marker).exists():
        Path(marker).touch()
        messages.report_frame = lie
    main(parent, fd, Disk())
