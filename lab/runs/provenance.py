"""What somebody else would need to know to believe or repeat a run."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

from lab import __version__

_PACKAGES = ("av", "numpy", "opencv-python-headless", "scikit-image", "pandas")


class Provenance(TypedDict):
    """What made the clips and numbers. packages: versions by name."""

    python: str
    platform: str
    packages: dict[str, str]
    git: str


def provenance() -> Provenance:
    """Versions of everything that touches pixels or numbers, and the code's git state."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {"i2v-lab": __version__, **{name: _version(name) for name in _PACKAGES}},
        "git": _git(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git() -> str:
    """The commit this code runs from, "+ changes" if edited; "not a checkout" otherwise."""
    here = Path(__file__).resolve().parents[2]
    try:
        _, commit, changes = (
            subprocess.run(  # noqa: S603 - fixed arguments
                ["git", "-C", str(here), *arguments],  # noqa: S607 - whichever git the user has
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            ).stdout.strip()
            for arguments in (
                # An installed copy may lie inside a repository of its user's.
                ("ls-files", "--error-unmatch", "lab/runs/provenance.py"),
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "lab"),
            )
        )
    except (OSError, subprocess.SubprocessError):
        return "not a checkout"
    return f"{commit} + changes" if changes else commit
