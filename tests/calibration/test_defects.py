"""Defects have the strength and the region that they state."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray
from skimage.color import rgb2lab

from lab.calibration import DEFECTS, Defect
from lab.calibration.clean_clips import CleanClip
from lab.calibration.defects import (
    boiling,
    drift_colour,
    drift_texture,
    flicker_colour,
    flicker_global,
    flicker_local,
    flicker_pulse,
    identity,
    identity_part,
    jelly,
    melt,
    onset_gap,
    ripple,
)
from lab.metrics import SPECS
from lab.units import diagonal_px
from lab.vision import grid

ROUNDING = 1 / 12  # variance of what rounding to whole code values adds
SLOPES = np.array([1.9, 2.4])  # code values a pixel, across and down
every_defect = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def added(frames: list[NDArray[np.uint8]], clip: CleanClip) -> NDArray[np.float64]:
    """What was added to each pixel: (frames, h, w) in code values, equal in all channels."""
    change = np.stack(frames).astype(float) - np.stack(clip.frames)
    assert (np.ptp(change, axis=-1) == 0).all()
    return change[..., 0]


def colours(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    lab: NDArray[np.float64] = rgb2lab(rgb)
    return lab


def shifts(frames: list[NDArray[np.uint8]], clip: CleanClip) -> NDArray[np.float64]:
    """How far each pixel moved in CIELAB: (frames, h, w, 3)."""
    pairs = zip(frames, clip.frames, strict=True)
    return np.stack([colours(after) - colours(before) for after, before in pairs])


@pytest.fixture(scope="module")
def ramp(disc: NDArray[np.uint8]) -> CleanClip:
    """Two seconds of a picture whose red is the x position of a pixel and green its y position."""
    y, x = np.mgrid[:96, :128]
    rgb = np.dstack([5 + SLOPES[0] * x, 10 + SLOPES[1] * y, np.full(x.shape, 128)])
    rgb = rgb.round().astype(np.uint8)
    return CleanClip([rgb] * 48, [disc] * 48, 24.0, rgb, rgb)


def displacements(frames: list[NDArray[np.uint8]], clip: CleanClip) -> NDArray[np.float64]:
    """How far each pixel moved in ‰ of the diagonal, (frames, h, w, 2), with rounding errors."""
    change = np.stack(frames).astype(float) - np.stack(clip.frames)
    return change[..., :2] / SLOPES / diagonal_px(128, 96) * 1000


def rms_length(moved: NDArray[np.float64]) -> float:
    """The root mean square length of displacements, without the part that rounding adds."""
    rounding = 2 * ROUNDING * ((1 / SLOPES) ** 2).sum() * (1000 / diagonal_px(128, 96)) ** 2
    return float(np.sqrt((moved**2).sum(axis=-1).mean() - rounding))


@every_defect
def test_a_row_of_the_table_is_complete(defect: Defect) -> None:
    """It has five ascending positive strengths and an existing metric."""
    assert len(defect.strengths) == 5
    assert defect.strengths[0] > 0
    assert list(defect.strengths) == sorted(set(defect.strengths))
    assert defect.middle == defect.strengths[2]
    assert defect.metric in SPECS
    assert defect.unit
    assert defect.description


def test_names_are_unique() -> None:
    """Cached rows refer to defects by name."""
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)


@every_defect
def test_frames_keep_their_count_size_and_type(defect: Defect, textured: CleanClip) -> None:
    """The result has the shape and type of the input, and the clean clip is unchanged."""
    before = [rgb.copy() for rgb in textured.frames]
    changed = defect.inject(textured, defect.middle, rng())
    assert [(rgb.shape, rgb.dtype) for rgb in changed] == [((96, 128, 3), np.uint8)] * 24
    assert all((a == b).all() for a, b in zip(before, textured.frames, strict=True))


@every_defect
def test_the_same_seed_gives_the_same_pixels(defect: Defect, textured: CleanClip) -> None:
    """Clips are reproducible."""
    one, again = (defect.inject(textured, defect.middle, rng(5)) for _ in range(2))
    assert all(map(np.array_equal, one, again))


@every_defect
def test_a_stronger_defect_changes_more(defect: Defect, textured: CleanClip) -> None:
    """The mean change of a pixel grows with the strength, averaged over a few seeds."""
    clean = np.stack(textured.frames).astype(float)
    changes = [
        np.mean(
            [
                np.abs(np.stack(defect.inject(textured, strength, rng(seed))) - clean).mean()
                for seed in range(4)
            ]
        )
        for strength in defect.strengths
    ]
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0)


@every_defect
def test_almost_no_strength_changes_nothing(defect: Defect, textured: CleanClip) -> None:
    """Frames stay as they are, except for rounding of colours."""
    for changed, clean in zip(defect.inject(textured, 1e-6, rng()), textured.frames, strict=True):
        assert np.abs(changed.astype(int) - clean).max() <= 1


@pytest.mark.parametrize("inject", [flicker_global, flicker_pulse])
@pytest.mark.parametrize("strength", [2, 8])
def test_flicker_of_the_whole_picture_has_its_rms(
    inject: object, strength: float, textured: CleanClip
) -> None:
    """Each frame has one offset for all pixels; the offsets have this rms and mean 0."""
    change = added(inject(textured, strength, rng()), textured)  # type: ignore[operator]
    assert (np.ptp(change, axis=(1, 2)) == 0).all()
    offsets = change[:, 0, 0]
    assert offsets.std() == pytest.approx(strength, abs=0.3)
    assert offsets.mean() == pytest.approx(0, abs=0.2)


def test_the_pulse_has_eight_hertz(textured: CleanClip) -> None:
    """The strongest frequency of the offsets is 8 Hz."""
    offsets = added(flicker_pulse(textured, 8, rng()), textured)[:, 0, 0]
    assert np.abs(np.fft.rfft(offsets)).argmax() == 8


@pytest.mark.parametrize("fps", [4.0, 8.0])
def test_a_pulse_that_the_frame_rate_cannot_show_changes_nothing(
    textured: CleanClip, fps: float
) -> None:
    """If every frame has the same phase of 8 Hz, the frames stay."""
    clip = CleanClip(textured.frames, textured.alphas, fps, textured.still, textured.other)
    assert (added(flicker_pulse(clip, 8, rng()), clip) == 0).all()


@given(strength=some.floats(1, 8), seed=some.integers(0, 99))
def test_patches_and_texture_have_their_rms_in_every_frame(
    textured: CleanClip, strength: float, seed: int
) -> None:
    """Local flicker and boiling have the stated strength in each frame."""
    short = CleanClip(
        textured.frames[:2], textured.alphas[:2], 24.0, textured.still, textured.other
    )
    for inject in (flicker_local, boiling):
        change = added(inject(short, strength, rng(seed)), short)
        rms = np.sqrt((change**2).mean(axis=(1, 2)) - ROUNDING)
        # A few of the largest offsets may run into black or white.
        assert rms == pytest.approx(strength, rel=0.05)


def test_patches_are_large_and_texture_is_fine(textured: CleanClip) -> None:
    """Neighbouring pixels share the offset of local flicker; in boiling they hardly do."""
    patch, grain = (
        added(inject(textured, 8, rng()), textured)[0] for inject in (flicker_local, boiling)
    )

    def shared(change: NDArray[np.float64], apart: int) -> float:
        return float(np.corrcoef(change[:, :-apart].ravel(), change[:, apart:].ravel())[0, 1])

    assert shared(patch, 8) > 0.7
    assert shared(grain, 8) < 0.2


def test_boiling_is_strongest_in_texture(disc: NDArray[np.uint8]) -> None:
    """A blank half boils far less than a textured half."""
    rgb = np.full((96, 128, 3), 128, np.uint8)
    rgb[:, 64:] += rng().integers(0, 40, (96, 64, 1)).astype(np.uint8)
    clip = CleanClip([rgb], [disc], 24.0, rgb, rgb)
    change = added(boiling(clip, 4, rng()), clip)[0]
    assert change[:, 80:].std() > 3 * change[:, :48].std()


@pytest.mark.parametrize("strength", [2, 8])
def test_colour_flicker_shifts_hue_and_keeps_lightness(
    strength: float, textured: CleanClip
) -> None:
    """The rms shift in the a, b plane is the strength in ΔE*ab; L is equal within rounding."""
    moved = shifts(flicker_colour(textured, strength, rng()), textured)
    assert np.sqrt((moved[..., 1:] ** 2).sum(axis=-1).mean()) == pytest.approx(strength, rel=0.06)
    assert np.abs(moved[..., 0]).max() < 0.5


@pytest.mark.parametrize("strength", [5, 20])
def test_colour_drift_grows_linearly_and_only_on_the_subject(
    strength: float, textured: CleanClip, disc: NDArray[np.uint8]
) -> None:
    """The hue shift is half the strength halfway and the full strength at the last frame."""
    moved = shifts(drift_colour(textured, strength, rng(3)), textured)
    far = np.linalg.norm(moved[:, disc > 0].mean(axis=1), axis=-1)
    assert far == pytest.approx(strength * np.linspace(0, 1, 24), abs=0.03 * strength + 0.1)
    assert np.abs(moved[:, disc == 0]).max() < 1


def test_an_onset_gap_is_in_all_frames(textured: CleanClip, disc: NDArray[np.uint8]) -> None:
    """All frames are equal, and the subject differs from the still by the strength."""
    changed = onset_gap(textured, 20, rng())
    assert all((rgb == changed[0]).all() for rgb in changed)
    moved = colours(changed[0]) - colours(textured.still)
    assert np.linalg.norm(moved[disc > 0].mean(axis=0)) == pytest.approx(20, rel=0.03)
    assert np.abs(moved[disc == 0]).max() < 1


@pytest.mark.parametrize("inject", [jelly, ripple])
def test_wobbles_have_the_stated_displacement(inject: object, ramp: CleanClip) -> None:
    """The rms displacement over pixels and frames is the strength, for every seed."""
    for seed in range(4):
        moved = displacements(inject(ramp, 8, rng(seed)), ramp)  # type: ignore[operator]
        assert rms_length(moved[:, 8:-8, 8:-8]) == pytest.approx(8, rel=0.08)


def test_jelly_wobbles_slowly_everywhere(ramp: CleanClip) -> None:
    """Each region oscillates around its position at 1.5 to 4 Hz."""
    moved = displacements(jelly(ramp, 8, rng()), ramp)[:, 8:-8:8, 8:-8:8].reshape(48, -1)
    power = (np.abs(np.fft.rfft(moved - moved.mean(axis=0), axis=0)) ** 2).sum(axis=1)
    hertz = np.fft.rfftfreq(48, 1 / 24)
    assert power[(hertz >= 1) & (hertz <= 4.5)].sum() > 0.9 * power.sum()


def test_a_ripple_is_a_transverse_wave_of_two_hertz(ramp: CleanClip) -> None:
    """Frames half a second apart are equal, and all displacements are parallel."""
    changed = ripple(ramp, 8, rng())
    assert all(
        np.abs(changed[i].astype(int) - changed[i + 12]).max() <= 1
        for i in range(len(changed) - 12)
    )
    moved = displacements(changed, ramp)[:, 8:-8, 8:-8].reshape(-1, 2)
    wide, narrow = np.linalg.svd(moved[::50], compute_uv=False)
    assert narrow < 0.2 * wide


def test_melting_reaches_its_displacement_at_the_end(
    ramp: CleanClip, disc: NDArray[np.uint8]
) -> None:
    """Averaged over seeds, the subject is displaced by the strength at the last frame."""
    ends = CleanClip([ramp.frames[0]] * 2, [disc] * 2, 24.0, ramp.still, ramp.other)
    moved = np.stack([displacements(melt(ends, 20, rng(s)), ends)[-1] for s in range(40)])
    assert rms_length(moved[:, disc > 0]) == pytest.approx(20, rel=0.1)


def test_melting_grows_and_leaves_the_background(ramp: CleanClip, disc: NDArray[np.uint8]) -> None:
    """It is 0 at the start, half of it halfway, and affects only the subject."""
    moved = displacements(melt(ramp, 40, rng()), ramp)
    assert not moved[0].any()
    half, full = (rms_length(moved[index][disc > 0]) for index in (24, 47))
    assert half == pytest.approx(full * 24 / 47, rel=0.05)
    assert not moved[:, :8].any()
    assert not moved[:, :, :16].any()


def test_identity_drift_blends_by_its_strength(
    textured: CleanClip, disc: NDArray[np.uint8]
) -> None:
    """The last frame of the subject is share * other + (1 - share) * itself, in the same mean
    colour.
    """
    inside = disc > 0
    still = textured.still[inside].astype(float)
    ends = {share: identity(textured, share, rng())[-1][inside] for share in (0.4, 0.8, 1.0)}
    for share in (0.4, 0.8):
        change = (ends[share] - still).ravel()
        most = (ends[1.0] - still).ravel()
        assert change @ most / (most @ most) == pytest.approx(share, abs=0.02)
        assert ends[share].mean(axis=0) == pytest.approx(still.mean(axis=0), abs=1)
    changed = identity(textured, 0.8, rng())
    assert (changed[0] == textured.still).all()
    assert all((rgb[~inside] == textured.still[~inside]).all() for rgb in changed)


def test_partial_identity_drift_is_a_connected_third(
    textured: CleanClip, disc: NDArray[np.uint8]
) -> None:
    """A third of the subject becomes another one in one piece; the rest of the frame stays."""
    for seed in range(4):
        changed = np.abs(identity_part(textured, 1, rng(seed))[-1] - textured.still.astype(int))
        where = (changed.max(axis=-1) > 2).astype(np.uint8)
        whole = (np.abs(identity(textured, 1, rng())[-1] - textured.still.astype(int))).max(axis=-1)
        assert where.sum() / (whole > 2).sum() == pytest.approx(1 / 3, abs=0.08)
        closed = cv2.morphologyEx(where, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        *_, sizes = cv2.connectedComponentsWithStats(closed)[:3]
        assert sizes[1:, cv2.CC_STAT_AREA].max() > 0.95 * closed.sum()
        assert not where[disc == 0].any()


def test_texture_drift_keeps_the_local_colour(textured: CleanClip, disc: NDArray[np.uint8]) -> None:
    """At the last frame the detail is another one; blurred, the subject looks as before."""
    last = drift_texture(textured, 1, rng())[-1].astype(float)
    still = textured.still.astype(float)
    inner = cv2.erode(disc, np.ones((9, 9), np.uint8)) > 0
    smooth_last, smooth_still = (cv2.GaussianBlur(one, (0, 0), 96 / 40) for one in (last, still))
    colours_last, colours_still = (cv2.GaussianBlur(one, (0, 0), 6) for one in (last, still))
    assert np.abs(colours_last - colours_still)[inner].mean() < 2
    detail_last, detail_still = (last - smooth_last)[inner], (still - smooth_still)[inner]
    assert abs(np.corrcoef(detail_last.ravel(), detail_still.ravel())[0, 1]) < 0.4
    assert 6 < detail_last.std() < 14
    assert (last[disc == 0] == still[disc == 0]).all()


@pytest.mark.parametrize(
    ("inject", "move"),
    [
        (identity, "walk"),
        (drift_texture, "exit and return"),
        (identity, "passer-by"),
        (identity_part, "passer-by"),
        (drift_texture, "passer-by"),
    ],
)
def test_what_is_injected_sticks_to_a_moving_surface(
    inject: Callable[..., list[NDArray[np.uint8]]], move: str, moved: Callable[[str], CleanClip]
) -> None:
    """Brought back to the still, the change is the same in an early and in the last frame.

    In the early one the subject has moved, is partly hidden, or comes back.
    """
    clip = moved(move)
    assert clip.still_points is not None
    changed = inject(clip, 1, rng(2))
    early = {"walk": 30, "passer-by": 30, "exit and return": 22}[move]
    back, seen = [], []
    for index in (early, 47):
        to_frame = grid(126, 224) - clip.still_points(index)[0, 0]  # these moves only shift it
        change = (changed[index].astype(np.float32) - clip.frames[index]) * 47 / index
        back.append(cv2.remap(change, to_frame, None, cv2.INTER_LINEAR))
        seen.append(cv2.remap(clip.alphas[index], to_frame, None, cv2.INTER_LINEAR) == 255)
    both = seen[0] & seen[1]
    assert both.sum() > 0.2 * seen[1].sum()
    size = np.abs(back[1][both]).mean()
    assert size > 2
    assert np.abs(back[0] - back[1])[both].mean() < 0.35 * size


@pytest.mark.parametrize(
    ("inject", "move"),
    [
        (identity_part, "passer-by"),
        (drift_texture, "passer-by"),
        (identity, "exit and return"),
    ],
)
def test_what_is_hidden_does_not_change(
    inject: Callable[..., list[NDArray[np.uint8]]], move: str, moved: Callable[[str], CleanClip]
) -> None:
    """The ground, who passes by, and a frame that the subject has left stay as they are."""
    clip = moved(move)
    for rgb, clean, alpha in zip(inject(clip, 1, rng()), clip.frames, clip.alphas, strict=True):
        assert (rgb[alpha == 0] == clean[alpha == 0]).all()


def test_melting_leaves_who_passes_in_front(moved: Callable[[str], CleanClip]) -> None:
    """What hides the subject keeps its shape, and the ground behind it, too."""
    clip = moved("passer-by")
    whole = clip.alphas[0]
    for index, rgb in enumerate(melt(clip, 40, rng())):
        change = np.abs(rgb.astype(int) - clip.frames[index]).max(axis=-1)
        assert clip.still_points is not None
        here = cv2.remap(whole, clip.still_points(index), None, cv2.INTER_LINEAR)
        assert (change[(here == 255) & (clip.alphas[index] == 0)] <= 1).all()
        assert not change[cv2.dilate(here, np.ones((41, 41), np.uint8)) == 0].any()


def test_without_a_subject_nothing_can_drift(textured: CleanClip, disc: NDArray[np.uint8]) -> None:
    """Defects of the subject do not change a clip without one."""
    nobody = CleanClip(textured.frames, [0 * disc] * 24, 24.0, textured.still, textured.other)
    for inject in (identity, identity_part, drift_texture, melt):
        changed = inject(nobody, 0.8, rng())
        assert all((rgb == nobody.still).all() for rgb in changed)
