"""Where the policies are that come with the gateway."""

from pathlib import Path


def shipped() -> Path:
    """Their folder: beside the package in a checkout, inside it once installed."""
    here = Path(__file__).resolve().parent.parent
    packaged = here / "shipped_policies"
    return packaged if packaged.is_dir() else here.parent / "policies"
