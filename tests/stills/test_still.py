"""One input image."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.errors import StillError
from lab.files import sha256_file
from lab.media import write_image
from lab.stills import Still


def test_a_still_knows_its_size_hash_and_name(coffee: Still, stills_dir: Path) -> None:
    """Opening a still reads what tables and takes need of it."""
    assert (coffee.width_px, coffee.height_px, coffee.changes) == (600, 400, ())
    assert coffee.sha256 == sha256_file(stills_dir / "coffee.jpg")
    assert coffee.name == "coffee"
    assert coffee.rgb().shape == (400, 600, 3)


def test_size_and_changes_are_those_of_the_upright_picture(
    tmp_path: Path, photo: np.ndarray
) -> None:
    """A still stored on its side has the size it is shown in, and says that it was turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "a.jpg", exif=exif)
    still = Still.open(tmp_path / "a.jpg")
    assert (still.width_px, still.height_px) == (400, 600)
    assert still.rgb().shape == (600, 400, 3)
    assert still.changes == ("rotated upright as EXIF says",)


def test_stills_are_the_same_when_their_content_is(
    coffee: Still, stills_dir: Path, tmp_path: Path
) -> None:
    """A copy under another name is the same still, another picture is not."""
    copy = Still.open(shutil.copy(coffee.path, tmp_path / "cup.jpg"))
    assert copy == coffee
    assert hash(copy) == hash(coffee)
    assert copy.name == "cup"
    assert Still.open(stills_dir / "cat.jpg") != coffee


def test_a_still_can_lie_elsewhere(coffee: Still, tmp_path: Path) -> None:
    """A still moved to another folder reads its pixels from there."""
    moved = coffee.at(Path(shutil.copy(coffee.path, tmp_path / "cup.jpg")))
    assert moved == coffee
    assert np.array_equal(moved.rgb(), coffee.rgb())


def test_a_still_survives_a_trip_through_json(coffee: Still) -> None:
    """A still written as JSON text and read back is equal and lies in the same place."""
    back = Still.from_json(json.loads(json.dumps(coffee.to_json())))
    assert back == coffee
    assert back.path == coffee.path


def test_a_still_that_is_gone_says_so(tmp_path: Path, photo: np.ndarray) -> None:
    """A still whose file was deleted after it was opened fails by name."""
    write_image(tmp_path / "a.png", photo)
    still = Still.open(tmp_path / "a.png")
    still.path.unlink()
    with pytest.raises(StillError, match=r"a\.png: no such file"):
        still.rgb()


def test_a_hostile_file_name_cannot_reach_the_page(tmp_path: Path, photo: np.ndarray) -> None:
    """Markup in a file's name is shown in a notebook, not obeyed."""
    path = tmp_path / '"><img src=x onerror=alert(1)>.png'
    write_image(path, photo)
    shown = Still.open(path)._repr_html_()
    assert "<img src=x" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert shown.count("<img") == 1
