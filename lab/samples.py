"""The sample stills and sweeps that come with the package."""

from importlib.resources import files
from pathlib import Path


def sample_path(name: str = "") -> Path:
    """The path of a sample: `sample_path("stills/coffee.jpg")`. Without a name, their folder.

    A wheel holds the samples inside the package. In a source checkout, and in an editable install
    of one, they are the folder `data/` beside it.
    """
    package = Path(str(files("lab")))
    shipped = package / "data"
    folder = shipped if shipped.is_dir() else package.parent / "data"
    return folder / name
