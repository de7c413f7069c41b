"""Colours, the shape of pixels and orientation, as a player shows them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from av.video.stream import VideoStream

from lab.media import frames, probe, write_proxy

TO_BT2020 = np.array(
    [[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]]
)
TO_P3 = np.array([[0.822462, 0.177538, 0], [0.033194, 0.966806, 0], [0.017083, 0.072397, 0.910520]])


def _linear(rgb: np.ndarray) -> np.ndarray:
    signal = rgb / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _pq(light: np.ndarray) -> np.ndarray:
    """BT.2100's PQ for light of which 1 is 203 nits."""
    root = (light * 203 / 10_000) ** (2610 / 16384)
    signal: np.ndarray = ((3424 / 4096 + 2413 / 128 * root) / (1 + 2392 / 128 * root)) ** (
        2523 / 32
    )
    return signal


def _hlg(light: np.ndarray) -> np.ndarray:
    """BT.2100's HLG for light on a screen of 1000 nits, of which 1 is 203 nits."""
    shown = light * 203 / 1000
    luminance = shown @ (0.2627, 0.6780, 0.0593)
    scene = shown * (np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1))[..., None]
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    signal: np.ndarray = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    return signal


def _srgb(light: np.ndarray) -> np.ndarray:
    signal: np.ndarray = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return signal


def _write(
    path: Path,
    signal: np.ndarray,
    *,
    matrix: Colorspace,
    transfer: int = ColorTrc.UNSPECIFIED,
    primaries: int = ColorPrimaries.UNSPECIFIED,
    tagged: bool = True,
    pixels: str = "yuv444p10le",
) -> Path:
    """A lossless clip of two equal pictures. signal: (h, w, 3), encoded, in 0..1."""
    wide = np.round(signal * 65535).astype(np.uint16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(24))
        stream.height, stream.width = wide.shape[:2]
        stream.pix_fmt = pixels
        context = stream.codec_context
        context.color_range = 1
        if tagged:
            context.colorspace, context.color_trc = matrix, transfer
            context.color_primaries = primaries
        for _ in range(2):
            picture = av.VideoFrame.from_ndarray(wide, format="rgb48le")
            container.mux(
                stream.encode(
                    picture.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=1)
                )
            )
        container.mux(stream.encode(None))
    return path


def _write_h264(path: Path, rgb: np.ndarray, prepare: Callable[[VideoStream], object]) -> Path:
    """A clip of four equal pictures. prepare: sets what the stream declares."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.height, stream.width = rgb.shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "5"}
        prepare(stream)
        for _ in range(4):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def _first(path: Path) -> np.ndarray:
    return next(iter(frames(path))).rgb.astype(int)


@pytest.fixture
def shown(photo: np.ndarray) -> np.ndarray:
    """A photograph without its brightest places, 320x200."""
    return np.minimum(photo[:200, :320], 235)


ENCODED = {
    "PQ": (_pq, TO_BT2020, Colorspace.BT2020, ColorTrc.SMPTE2084, ColorPrimaries.BT2020),
    "HLG": (_hlg, TO_BT2020, Colorspace.BT2020, ColorTrc.ARIB_STD_B67, ColorPrimaries.BT2020),
    "BT.2020": (_srgb, TO_BT2020, Colorspace.BT2020, ColorTrc.BT2020_10, ColorPrimaries.BT2020),
    "Display P3": (_srgb, TO_P3, Colorspace.ITU709, ColorTrc.BT709, ColorPrimaries.SMPTE432),
}


def _write_as(path: Path, kind: str, light: np.ndarray) -> Path:
    """A clip of linear BT.709 light in an encoding, tagged as such."""
    curve, gamut, matrix, transfer, primaries = ENCODED[kind]
    signal = curve(np.maximum(light @ gamut.T, 0))
    return _write(path, signal, matrix=matrix, transfer=transfer, primaries=primaries)


@pytest.mark.parametrize("kind", ENCODED)
def test_a_clip_of_any_encoding_shows_the_same_colours(
    kind: str, tmp_path: Path, shown: np.ndarray
) -> None:
    """Encoded in HDR or in wide colours, a picture is decoded as it was, and that is said."""
    path = _write_as(tmp_path / "a.mkv", kind, _linear(shown))
    assert np.abs(_first(path) - shown).mean() < 1
    (remark,) = probe(path).remarks
    assert kind in remark


def test_primaries_that_no_standard_has_are_left_as_they_are(
    tmp_path: Path, shown: np.ndarray
) -> None:
    """A file may declare any number; the curve is converted all the same."""
    path = _write(
        tmp_path / "a.mkv",
        _pq(_linear(shown)),
        matrix=Colorspace.BT2020,
        transfer=ColorTrc.SMPTE2084,
        primaries=13,
    )
    assert np.abs(_first(path) - shown).mean() < 1
    assert probe(path).remarks == ("HDR (PQ) is tone-mapped to SDR",)


def test_brighter_than_white_keeps_its_order(tmp_path: Path) -> None:
    """Up to 0.9 of white nothing changes; above, light rolls off and never turns round."""
    light = np.linspace(0, 4, 256)[None, :, None].repeat(64, 0).repeat(3, 2)
    path = _write_as(tmp_path / "a.mkv", "PQ", light)
    row = _first(path)[32, :, 1]
    assert (np.diff(row) >= -1).all()
    dark = light[0, :, 1] < 0.88
    assert np.abs(row[dark] - 255 * _srgb(light[0, dark, 1])).max() < 3
    assert row[-1] >= 254


@pytest.mark.parametrize(("height", "matrix"), [(720, Colorspace.ITU709), (360, Colorspace.ITU601)])
def test_untagged_colours_are_read_as_players_do(
    height: int, matrix: Colorspace, tmp_path: Path, photo: np.ndarray
) -> None:
    """From 720 rows on as BT.709, which is said; below as BT.601."""
    picture = cv2.resize(photo, (480, height), interpolation=cv2.INTER_AREA)
    path = _write(tmp_path / "a.mkv", picture / 255, matrix=matrix, tagged=False, pixels="yuv444p")
    assert np.abs(_first(path) - picture).mean() < 1.5
    assert [text for text in probe(path).remarks if "BT.709" in text] == (
        ["its colours are not tagged; read as BT.709, as players do"] if height == 720 else []
    )


@pytest.mark.parametrize(
    ("stored", "aspect"), [((240, 200), Fraction(4, 3)), ((320, 150), Fraction(3, 4))]
)
def test_pixels_that_are_not_square_are_scaled(
    stored: tuple[int, int], aspect: Fraction, tmp_path: Path, shown: np.ndarray
) -> None:
    """The side with too few pixels is enlarged, in the facts and in the frames."""

    def prepare(stream: VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    squeezed = cv2.resize(shown, stored, interpolation=cv2.INTER_AREA)
    path = _write_h264(tmp_path / "a.mp4", squeezed, prepare)
    facts = probe(path)
    assert (facts.width_px, facts.height_px) == (320, 200)
    assert "scaled to its shown shape" in facts.remarks[0]
    assert np.abs(_first(path) - shown).mean() < 8


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize(("hflip", "vflip"), [(False, False), (True, False), (False, True)])
def test_a_turned_or_mirrored_clip_is_decoded_upright(
    degrees: int, hflip: bool, vflip: bool, tmp_path: Path, shown: np.ndarray
) -> None:
    """All eight display matrices: the clip is probed and decoded as it is shown."""
    mirrored = shown[:: -1 if vflip else 1, :: -1 if hflip else 1]
    path = _write_h264(
        tmp_path / "a.mp4",
        np.rot90(mirrored, -degrees // 90),
        lambda stream: stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip),
    )
    facts = probe(path)
    assert (facts.width_px, facts.height_px) == (320, 200)
    assert np.abs(_first(path) - shown).mean() < 8


def test_interlaced_pictures_are_noted(tmp_path: Path, shown: np.ndarray) -> None:
    """Combed edges look like warp, so that the clip's facts say so."""

    def prepare(stream: VideoStream) -> None:
        stream.options = {"x264-params": "tff=1"}

    path = _write_h264(tmp_path / "a.mp4", shown[:192], prepare)
    assert any("interlaced" in text for text in probe(path).remarks)


def test_a_small_copy_has_the_same_colours(tmp_path: Path, shown: np.ndarray) -> None:
    """What the player plays of an HDR clip is what is measured."""
    path = _write_as(tmp_path / "a.mkv", "PQ", _linear(shown))
    proxy = tmp_path / "proxy.mp4"
    write_proxy(path, proxy)
    assert np.abs(_first(proxy) - _first(path)).mean() < 6
    assert probe(proxy).remarks == ()
