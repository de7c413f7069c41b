"""The sample stills and sweeps that come with the package."""

from importlib.resources import files
from pathlib import Path


def sample_path(name: str = "") -> Path:
    """The path of a sample: `sample_path("stills/coffee.jpg")`. Without a name, their folder.

    A wheel holds the samples in `lab/data`. In a checkout that is a link to the folder `data`.
    """
    return Path(str(files("lab"))).resolve() / "data" / name
