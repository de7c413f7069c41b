"""Stills that show the same picture."""

from pathlib import Path

import numpy as np

from lab.media import write_image
from lab.stills import Still, near_duplicates


def test_the_same_picture_is_found_however_it_was_saved(tmp_path: Path, coffee: Still) -> None:
    """A lighter copy is one; a mirrored one and another picture are none."""
    rgb = coffee.rgb()
    pictures = {
        "lighter.jpg": np.clip(rgb * 1.15, 0, 255).astype(np.uint8),
        "mirrored.png": np.ascontiguousarray(rgb[:, ::-1]),
        "other.png": np.roll(rgb, 200, axis=0),
    }
    stills = [coffee]
    for name, picture in pictures.items():
        write_image(tmp_path / name, picture)
        stills.append(Still.open(tmp_path / name))
    ((one, other, finding),) = near_duplicates(stills)
    assert {one.name, other.name} == {"coffee", "lighter"}
    assert (finding.kind, finding.severity) == ("near_duplicate", "warning")
    assert finding.value is not None
    assert finding.limit is not None
    assert finding.value <= finding.limit


def test_one_still_has_no_duplicate(coffee: Still) -> None:
    """Nothing to compare with, nothing found."""
    assert near_duplicates([coffee]) == ()
    assert near_duplicates([]) == ()
