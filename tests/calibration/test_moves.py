"""Requested and recognised camera moves."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal

from lab.calibration import calibrate_moves, confusion, load_moves, moves
from lab.calibration.moves import LAYERS, STRENGTHS, Moves, renderable_terms, true_rates
from lab.errors import InputError
from lab.media import write_image
from lab.metrics.motion import COURSE
from lab.prompts import Prompt, vocabulary
from lab.render import Motion, camera_path

MEASURED = load_moves()
TERMS = [term.name for term in renderable_terms()]


@pytest.mark.parametrize("term", renderable_terms(), ids=lambda term: term.name)
def test_a_signature_matches_the_rendered_motion(term: object) -> None:
    """The rendered rates of each camera term equal its signature, component by component."""
    name = term.name  # type: ignore[attr-defined]
    signature = vocabulary()[name].signature
    assert signature is not None
    path = camera_path(
        Motion.from_prompt(Prompt.of(name, pace="steady")), frames=13, fps=24, seed=3
    )
    read = true_rates(path)
    if signature.sway:
        return
    expected = {part: getattr(signature, part) for part in COURSE}
    assert {part: read[part] for part in COURSE} == pytest.approx(expected, rel=0.12, abs=0.05)


def test_the_shipped_table_holds_every_move_at_three_strengths() -> None:
    """It covers all photographs, about half of which are reserved for results."""
    clips = MEASURED.clips[MEASURED.clips["scene"] == LAYERS]
    assert set(clips["term"]) == set(TERMS)
    assert set(clips["strength"]) == set(STRENGTHS)
    photographs = clips.groupby("final")["photo"].nunique()
    assert photographs[True] >= 3
    assert photographs[False] >= 3
    assert len(clips) == len(TERMS) * 3 * clips["photo"].nunique()


def test_requested_moves_are_recognised() -> None:
    """In the final half nearly all moves are recognised, and none as its opposite.

    Strong ones are harder on a subject that fills the frame: they leave little ground to follow.
    """
    summary = MEASURED.summary().set_index(["half", "strength"])
    for strength, least in (("subtle", 0.96), ("moderate", 0.96), ("strong", 0.94)):
        row = summary.loc[("final", strength)]
        assert row["seen right"] >= least
        assert row["compliance"] >= 0.9
        assert row["opposite, at most"] <= 0.05


@pytest.mark.parametrize(
    ("scene", "least"), [("room", 0.9), ("walk", 0.65), ("water", 0.4), ("plain", 0.9)]
)
def test_moves_are_recognised_in_harder_scenes(scene: str, least: float) -> None:
    """Water that fills the background is read as a camera that moves against it."""
    scenes = MEASURED.scenes().set_index("scene").loc[scene]
    assert (scenes["seen right"] >= least).all()
    if scene != "water":
        assert (scenes["opposite, at most"].fillna(0) <= 0.05).all()


def test_rates_are_measured_in_their_units() -> None:
    """Slopes of measured on rendered rates are near 1, and absent components measure near 0."""
    rates = MEASURED.rates().set_index("part")
    assert rates["slope"].between(0.7, 1.2).all()
    assert (rates["rms where absent"] < 1.0).all()


def test_the_confusion_counts_every_clip_once() -> None:
    """Rows are terms, columns are recognised moves, by strength or over all strengths."""
    whole = MEASURED.confusion()
    assert list(whole.index) == TERMS
    layers = MEASURED.clips[MEASURED.clips["scene"] == LAYERS]
    assert whole.to_numpy().sum() == layers["final"].sum()
    parts = [MEASURED.confusion(strength).to_numpy().sum() for strength in STRENGTHS]
    assert sum(parts) == whole.to_numpy().sum()
    labels = [label.get_text() for label in confusion(MEASURED).axes[0].get_yticklabels()]
    assert labels == [name.replace("_", " ") for name in TERMS]


def test_another_file_is_refused_as_a_table_of_moves() -> None:
    """Neither text nor another table is accepted."""
    for text in ("", "a,b\n1,2\n", "\0"):
        with pytest.raises(InputError, match="not a table of camera moves"):
            Moves.read(text)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    """Restricts calibration to two moves on short small clips, and one worker."""
    chosen = tuple(term for term in renderable_terms() if term.name in ("lock_off", "pan_left"))
    for name, value in {
        "FRAMES": 12,
        "SIZE_PX": (240, 136),
        "renderable_terms": lambda: chosen,
    }.items():
        monkeypatch.setattr(moves, name, value)
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_moves_are_measured_cached_and_read_back(
    few: Executor, tmp_path: Path, texture: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    """A second call measures nothing, and the saved file equals the returned table."""
    photos = tmp_path / "photos"
    photos.mkdir()
    small = cv2.resize(texture, (320, 200), interpolation=cv2.INTER_AREA)
    for index, name in enumerate("ab"):
        write_image(photos / f"{name}.png", np.roll(small, 60 * index, axis=1))
    out = tmp_path / "out"
    table = calibrate_moves(out, stills=photos, quick=True, executor=few, quiet=True)
    assert list(table.clips["seen"]) == ["lock_off", "pan_left"] * 2
    assert list(table.clips["final"]) == [False, False, True, True]
    cached = (out / "moves.jsonl").read_text()
    again = calibrate_moves(out, stills=photos, quick=True, executor=few, quiet=True)
    assert (out / "moves.jsonl").read_text() == cached
    assert_frame_equal(again.clips, table.clips)
    loaded = Moves.read((out / "moves.csv").read_text())
    assert_frame_equal(loaded.clips, table.clips, atol=0.0006, check_dtype=False)
    assert "requested and recognised" in str(table)


def test_moves_of_a_known_table_are_measured_only_if_they_changed(
    few: Executor, tmp_path: Path, texture: NDArray[np.uint8]
) -> None:
    """A row is reused if its move is rendered as before."""
    photos = tmp_path / "photos"
    photos.mkdir()
    small = cv2.resize(texture, (320, 200), interpolation=cv2.INTER_AREA)
    for name in "ab":
        write_image(photos / f"{name}.png", small)
    first = calibrate_moves(tmp_path / "1", stills=photos, quick=True, executor=few, quiet=True)
    marked = first.clips.assign(speed=7.0)
    marked.loc[1, "true_pan"] += 1.0
    again = calibrate_moves(
        tmp_path / "2", stills=photos, quick=True, known=Moves(marked), executor=few, quiet=True
    )
    assert list(again.clips["speed"] == 7.0) == [True, False, True, True]
    assert_frame_equal(again.clips.loc[[1]], first.clips.loc[[1]])


def test_one_photograph_is_too_few(few: Executor, tmp_path: Path) -> None:
    """Each half needs one."""
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="two photographs"):
        calibrate_moves(tmp_path / "out", stills=tmp_path / "photos", executor=few, quiet=True)
