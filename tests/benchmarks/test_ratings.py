"""Reading the ratings of a folder of clips."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.ratings import read_ratings
from lab.errors import InputError
from lab.media import write_image
from tests.benchmarks.rated_folder import ratings_with, write_ratings


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clip": "0.mp4"}, "line 3: '0.mp4' is in line 2 already"),
        ({"stars": "good"}, "line 3: stars is 'good'; write a number or leave it empty"),
        ({"stars": "inf"}, "write a number"),
        ({"group": " "}, "line 3: has no group"),
    ],
)
def test_an_invalid_line_is_named(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    """The error names the line and says what to write."""
    path = write_ratings(tmp_path, ratings_with(**changed))
    with pytest.raises(InputError, match=message):
        read_ratings(path, tmp_path, column="stars")


def test_raters_form_the_rating(tmp_path: Path) -> None:
    """Their mean over those who rated, unless a column is named; a still is a group by default."""
    rows: list[dict[str, object]] = [
        {"clip": f"{n}.mp4", "still": f"{n // 2}.png", "a": n, "b": 4 if n else "", "model": "x"}
        for n in range(4)
    ]
    path = write_ratings(tmp_path, rows)
    (tmp_path / "stills").mkdir()
    for n in range(2):
        write_image(tmp_path / "stills" / f"{n}.png", np.full((64, 64, 3), n, np.uint8))
    options: dict[str, Any] = {"stills": tmp_path / "stills", "generator": "model"}
    ratings = read_ratings(path, tmp_path, raters=["a", "b"], lower_is_better=True, **options)
    assert ratings.rating.tolist() == [0, 2.5, 3, 3.5]
    assert ratings.described == "mean of a, b, lower is better"
    assert ratings.group.tolist() == ["0.png", "0.png", "1.png", "1.png"]
    assert ratings.generator.tolist() == ["x"] * 4
    assert [still and still.name for still in ratings.stills] == ["0", "0", "1", "1"]
    named = read_ratings(path, tmp_path, column="a", raters=["a", "b"], **options)
    assert (named.rating.tolist(), named.raters.shape) == ([0, 1, 2, 3], (2, 4))
    (tmp_path / "ratings.csv").write_text("clip,group,still,a\n0.mp4,g,,1\n1.mp4,g,,1\n2.mp4,g,,1")
    assert read_ratings(path, tmp_path, column="a").stills == (None, None, None)


def test_an_empty_field_is_not_rated(tmp_path: Path) -> None:
    """An empty rating is NaN; a byte order mark is skipped."""
    rows = [
        row | {"rater_1": n or "", "rater_2": 3} for n, row in enumerate(ratings_with(stars=""))
    ]
    path = write_ratings(tmp_path, rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    ratings = read_ratings(path, tmp_path, column="stars")
    assert np.isnan(ratings.rating).tolist() == [False, True, False, False]
    assert ratings.raters.shape == (2, 4)
    assert np.isnan(ratings.raters).sum() == 1
    assert [clip.name for clip in ratings.clips] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
