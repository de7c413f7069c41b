"""Records the versions of the software that made a run."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

_PACKAGES = ("i2v-lab", "av", "numpy", "opencv-python-headless", "scikit-image", "pandas")
"""Every package that computes pixels or numbers."""
_GIT_TIMEOUT_S = 10


class Provenance(TypedDict):
    """What made the clips and numbers. packages: versions by name."""

    python: str
    platform: str
    packages: dict[str, str]
    git: str


def provenance() -> Provenance:
    """The versions of Python, the platform and the packages, and the git commit."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "git": _git_commit(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git_commit() -> str:
    """The commit of this checkout, with "+ changes" if edited; else "not a checkout"."""
    root = Path(__file__).resolve().parents[2]
    try:
        _, commit, changes = (
            subprocess.run(  # noqa: S603 - fixed arguments
                ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the user has
                capture_output=True,
                text=True,
                timeout=_GIT_TIMEOUT_S,
                check=True,
            ).stdout.strip()
            for arguments in (
                # Fails for an installed copy that lies inside a repository of the user.
                ("ls-files", "--error-unmatch", "lab/runs/provenance.py"),
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "lab"),
            )
        )
    except (OSError, subprocess.SubprocessError):
        return "not a checkout"
    return f"{commit} + changes" if changes else commit
