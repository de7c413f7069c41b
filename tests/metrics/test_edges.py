"""Every clip that a person may hand in: odd lengths, odd pictures, odd files, broken files."""

import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.codec import CodecContext
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from numpy.typing import NDArray
from PIL import Image

from lab.cli import main
from lab.errors import ClipError
from lab.measures import Measure
from lab.media import frames, open_image, write_clip
from lab.metrics import HEADLINES, METRICS, SPECS, ClipScores, Score, measure
from lab.stills import Still

Pixels = NDArray[np.uint8]
Shot = list[Pixels]
FPS = 24
TINY = ((1, 1), (2, 2), (2, 180), (180, 7))  # width and height of what is too small to measure
STAMPS_MS = (0, 42, 60, 160, 200, 333, 350, 400, 470, 500, 640, 700)


def _write(
    path: Path,
    shown: Sequence[Pixels],
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    *,
    stamps_ms: Sequence[int] | None = None,
    rotation: int = 0,
    tags: tuple[int, int, int] | None = None,
    container: str = "mp4",
) -> None:
    """Write RGB or RGBA frames by a codec; tags: primaries, transfer, matrix."""
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=Fraction(FPS))
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        if codec == "libx264":
            stream.options = {"crf": "8", "preset": "ultrafast", "bf": "0"}
        elif codec == "libx265":
            stream.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
        if tags:
            context.color_primaries, context.color_trc, context.colorspace = tags
        if stamps_ms:
            context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for index, picture in enumerate(shown):
            kind = "rgba" if picture.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
            frame = frame.reformat(format=pixel_format)
            if stamps_ms:
                frame.time_base, frame.pts = Fraction(1, 1000), stamps_ms[index]
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _plain(shown: Sequence[Pixels]) -> Callable[[Path], None]:
    return lambda path: _write(path, shown)


def _tiny(shot: Shot, width: int, height: int) -> Callable[[Path], None]:
    shown = [rgb[:height, :width] for rgb in shot[:6]]
    return lambda path: _write(path, shown, "gif", "rgb8", container="gif")


def _cut_off(shot: Shot) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_clip(path, shot, fps=FPS, crf=8)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])

    return make


def _spoiled(shot: Shot) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_clip(path, shot, fps=FPS, crf=8)
        content = bytearray(path.read_bytes())
        tail = len(content) * 3 // 4
        content[tail:] = b"\xff" * (len(content) - tail)
        path.write_bytes(content)

    return make


def _resized(shot: Shot) -> Callable[[Path], None]:
    """Motion JPEG says its size in every frame, so a stream of it may change its size."""

    def make(path: Path) -> None:
        half = len(shot) // 2
        small = [rgb[:120, :160] for rgb in shot[half:]]
        with av.open(str(path), "w", format="matroska") as file:
            stream = file.add_stream("mjpeg", rate=Fraction(FPS))
            stream.height, stream.width = shot[0].shape[:2]
            stream.pix_fmt = "yuvj420p"
            for index, rgb in enumerate([*shot[:half], *small]):
                one = CodecContext.create("mjpeg", "w")
                one.height, one.width = rgb.shape[:2]
                one.pix_fmt, one.time_base = "yuvj420p", Fraction(1, FPS)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
                for packet in [*one.encode(frame.reformat(format="yuvj420p")), *one.encode(None)]:
                    packet.stream = stream
                    packet.time_base, packet.pts, packet.dts = Fraction(1, FPS), index, index
                    file.mux(packet)

    return make


def _odd_clips(
    shot: Shot, wide: Pixels, pictures: Sequence[Pixels]
) -> dict[str, Callable[[Path], None]]:
    """What each kind of clip is written by.

    shot: at least twelve frames of a pan over the picture `wide`, 240x192. pictures: others of
    that size, each of something else.
    """
    still = shot[0]
    black = np.zeros_like(still)
    row = np.hstack([wide[200:224], wide[300:324]])
    noise = np.random.default_rng(0).integers(0, 256, (8, *still.shape), np.uint8)
    clear = np.full((*still.shape[:2], 1), 255, np.uint8)
    clear[:, : still.shape[1] // 2] = 60
    alpha = [np.dstack([rgb, clear]) for rgb in shot[:9]]
    hdr = (ColorPrimaries.BT2020, ColorTrc.SMPTE2084, Colorspace.BT2020)
    return {
        "one frame": _plain(shot[:1]),
        "two frames": _plain(shot[:2]),
        "three frames": _plain(shot[:3]),
        "held": _plain([still] * 12),
        "black": _plain([black] * 12),
        "flat": _plain([black + np.uint8(90)] * 12),
        "noise": _plain(noise),
        "only cuts": _plain(pictures),
        "on twos": _plain([shot[n // 2 * 2] for n in range(12)]),
        "fading to black": _plain(
            [(rgb * (1 - n / 11)).astype(np.uint8) for n, rgb in enumerate(shot[:12])]
        ),
        "uneven rate": lambda path: _write(
            path, shot[:12], container="matroska", stamps_ms=STAMPS_MS
        ),
        "no stamps": lambda path: _write(path, shot[:12], container="avi"),
        "odd sides": lambda path: _write(
            path, [rgb[:181, :227] for rgb in shot[:9]], pixel_format="yuv444p"
        ),
        "8 px": _plain([rgb[:8, :8] for rgb in shot[:9]]),
        **{f"{width}x{height} px": _tiny(shot, width, height) for width, height in TINY},
        "12 px strip": _plain([row[:12, 2 * n : 2 * n + 900] for n in range(9)]),
        "20 px strip": _plain([row[:20, 2 * n : 2 * n + 400] for n in range(9)]),
        "10 bits": lambda path: _write(path, shot[:9], "libx265", "yuv420p10le"),
        "bt2020 pq": lambda path: _write(path, shot[:9], "libx265", "yuv420p10le", tags=hdr),
        "alpha in webm": lambda path: _write(
            path, alpha, "libvpx-vp9", "yuva420p", container="webm"
        ),
        "alpha in mov": lambda path: _write(path, alpha, "png", "rgba", container="mov"),
        "gif": lambda path: _write(path, shot[:9], "gif", "rgb8", container="gif"),
        "turned": lambda path: _write(path, [np.rot90(rgb, -1) for rgb in shot[:9]], rotation=90),
        "cut off": _cut_off(shot),
        "spoiled tail": _spoiled(shot),
        "changing size": _resized(shot),
    }


TINY_KINDS = tuple(f"{width}x{height} px" for width, height in TINY)
KINDS = (
    *TINY_KINDS,
    *("one frame", "two frames", "three frames", "held", "black", "flat", "noise", "only cuts"),
    *("on twos", "fading to black", "uneven rate", "no stamps", "odd sides", "8 px"),
    *("12 px strip", "20 px strip", "10 bits", "bt2020 pq", "alpha in webm", "alpha in mov"),
    *("gif", "turned", "cut off", "spoiled tail", "changing size"),
)
# What nobody can see in the frames is the same as in this kind.
SAME_AS_PLAIN = ("10 bits", "bt2020 pq", "alpha in webm", "alpha in mov", "turned", "no stamps")
# Where a clip that measures itself, without a still, has been worst served.
ALONE = ("one frame", "two frames", "black", "8 px", "12 px strip", "20 px strip", "changing size")


@pytest.fixture(scope="module")
def wide(texture: Pixels) -> Pixels:
    """A photograph full of detail, 480x480."""
    return cv2.resize(texture, (480, 480), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def shot(wide: Pixels) -> Shot:
    """14 frames of a pan right and down, 240x192."""
    return [
        np.ascontiguousarray(wide[100 + n : 292 + n, 60 + 3 * n : 300 + 3 * n]) for n in range(14)
    ]


@pytest.fixture(scope="module")
def clips(
    tmp_path_factory: pytest.TempPathFactory, stills_dir: Path, shot: Shot, wide: Pixels
) -> Callable[[str], Path]:
    """The clip of a kind, written when it is first asked for."""
    folder = tmp_path_factory.mktemp("odd")
    names = ("coffee", "rocket", "cat", "hopper")
    photos = [cv2.resize(open_image(stills_dir / f"{name}.jpg").rgb, (480, 384)) for name in names]
    pictures = [
        photo[y : y + 192, x : x + 240] for y in (0, 192) for x in (0, 240) for photo in photos
    ]
    writers = _odd_clips(shot, wide, pictures)
    assert set(writers) == set(KINDS)

    @cache
    def written(kind: str) -> Path:
        path = folder / f"{kind}.mp4"
        writers[kind](path)
        return path

    return written


@pytest.fixture(scope="module")
def still(stills_dir: Path) -> Still:
    """The photograph that the shot pans over."""
    return Still.open(stills_dir / "astronaut.jpg")


@pytest.fixture(scope="module")
def scored(clips: Callable[[str], Path], still: Still) -> Callable[..., ClipScores]:
    """Scores of a kind of clip by every metric, measured once."""
    return cache(lambda kind, beside=True: measure(clips(kind), still if beside else None, METRICS))


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, str]]:
    """Run a command here; returns its exit code, output and errors."""

    def command(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return command


def _named(scores: ClipScores) -> dict[str, Score]:
    return {score.name: score for score in scores.scores}


@pytest.mark.parametrize(
    ("kind", "beside"), [*((kind, True) for kind in KINDS), *((kind, False) for kind in ALONE)]
)
def test_a_number_in_range_or_a_reason(
    scored: Callable[..., ClipScores], kind: str, beside: bool
) -> None:
    """Every score of every metric is a number inside its range, or NaN with a reason; and the
    record is plain JSON, with null for NaN and a reason for every null.
    """
    scores = scored(kind, beside)
    named = _named(scores)
    assert list(named) == list(SPECS)
    for name, score in named.items():
        if math.isnan(score.value):
            assert score.reason.strip(), name
            assert "\n" not in score.reason
        else:
            assert not score.reason, name
            assert math.isfinite(score.value), name
            assert SPECS[name].low <= score.value <= SPECS[name].high, name
    record = json.loads(json.dumps(Measure.from_scores(scores).record(), allow_nan=False))
    assert {name for name, value in record["scores"].items() if value is None} == set(
        record["reasons"]
    )
    assert len(record["times_s"]) == record["frames"] > 0
    for values in record["series"].values():
        assert all(0 <= int(index) < record["frames"] for index in values)
        assert None not in values.values()
    for boxes in record["boxes"].values():
        assert all(
            0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1 for box in boxes.values()
        )


# The quick tier measures every kind above.
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.slow] if place % 4 else [])
        for place, kind in enumerate(KINDS)
    ],
)
def test_the_command_line_scores_it(
    lab: Callable[..., tuple[object, str, str]],
    clips: Callable[[str], Path],
    still: Still,
    kind: str,
) -> None:
    """`lab score` prints one object on one line, and nothing else."""
    code, out, err = lab("score", clips(kind), "--still", still.path, "--json")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    assert set(HEADLINES) <= set(json.loads(out)["scores"])


def _raw(path: Path, shot: Shot) -> None:
    _write(path, shot, container="h264")


def _headless(path: Path, shot: Shot) -> None:
    write_clip(path, shot, fps=FPS)
    path.write_bytes(path.read_bytes()[:300])


BROKEN: dict[str, Callable[[Path, Shot], object]] = {
    "a raw stream, which has no clock": _raw,
    "a header alone": _headless,
    "nothing": lambda path, shot: path.touch(),
    "words": lambda path, shot: path.write_text("no clip"),
    "zeros": lambda path, shot: path.write_bytes(bytes(4000)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_scored_is_refused_in_one_line(
    lab: Callable[..., tuple[object, str, str]], tmp_path: Path, shot: Shot, kind: str
) -> None:
    """A file without one frame that can be decoded exits with 2 and one line that names it."""
    path = tmp_path / "broken.mp4"
    BROKEN[kind](path, shot)
    with pytest.raises(ClipError):
        measure(path, None, METRICS)
    code, out, err = lab("score", path, "--json")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path}: ")
    assert err.count("\n") == 1


def test_one_frame_is_no_data(scored: Callable[..., ClipScores]) -> None:
    """Of one frame nothing is known; beside its still, only how far it is from that."""
    assert all(math.isnan(score.value) for score in scored("one frame", False).scores)
    named = _named(scored("one frame"))
    assert math.isfinite(named["drift"].value)
    for name in SPECS:
        if name.partition(".")[0] in ("flicker", "warp", "motion", "events"):
            assert math.isnan(named[name].value), name


@pytest.mark.parametrize("kind", TINY_KINDS)
@pytest.mark.parametrize("beside", [True, False])
def test_a_clip_too_small_to_measure_has_no_number(
    scored: Callable[..., ClipScores], kind: str, beside: bool
) -> None:
    """Of frames with a side of a few pixels every score is NaN, and the reason names their size."""
    scores = scored(kind, beside)
    assert scores.frames == 6
    for score in scores.scores:
        assert math.isnan(score.value), score.name
        assert score.reason == f"frames of {kind} are too small; each side needs 8 px"


def test_two_frames_are_too_few_for_most(scored: Callable[..., ClipScores]) -> None:
    """Flicker takes three different frames, and what moves takes an eighth of a second."""
    named = _named(scored("two frames"))
    assert "3 different frames" in named["flicker"].reason
    assert "eighth of a second" in named["motion"].reason
    assert "eighth of a second" in named["warp"].reason
    assert math.isfinite(scored("three frames").value("flicker"))


@pytest.mark.parametrize("kind", ["held", "black", "flat"])
def test_a_picture_that_stands_scores_0_with_a_note(
    scored: Callable[..., ClipScores], kind: str
) -> None:
    """A held picture does not flicker, wobble or move, and notes say why that is no merit."""
    scores = scored(kind)
    for name in ("flicker", "flicker.local", "flicker.texture", "warp", "warp.strain"):
        assert scores.value(name) == 0
    assert scores.value("motion") < 0.1
    assert scores.value("motion.still") == 1
    for name in ("flicker", "warp"):
        assert scores.notes[name] == f"{name} is 0 because one picture is held throughout"


@pytest.mark.parametrize("kind", ["black", "flat"])
def test_where_the_subject_is_nowhere_it_has_no_score(
    scored: Callable[..., ClipScores], kind: str
) -> None:
    """A picture of nothing has no drift and no shape, and says that there is no subject to see."""
    for name, score in _named(scored(kind)).items():
        if name.startswith("drift") or name == "warp.shape":
            assert math.isnan(score.value)
            assert "plain" in score.reason or "subject" in score.reason


def test_a_shot_a_frame_has_no_motion(scored: Callable[..., ClipScores]) -> None:
    """Where every frame shows another picture nothing is followed, and each part says why."""
    named = _named(scored("only cuts"))
    for headline in ("flicker", "warp", "motion"):
        for name in (name for name in SPECS if name.partition(".")[0] == headline):
            assert math.isnan(named[name].value), name
            assert "cuts" in named[name].reason


@pytest.mark.parametrize("kind", ["8 px", "12 px strip"])
def test_frames_too_small_say_so(scored: Callable[..., ClipScores], kind: str) -> None:
    """Too few pixels is the reason given, not motion or cuts."""
    named = _named(scored(kind, False))
    for name in ("flicker", "warp", "motion", "events.cuts"):
        assert "too small" in named[name].reason


def test_on_twos_moves_as_it_shows(scored: Callable[..., ClipScores], clips: Any) -> None:
    """Frames shown twice move at the speed at which the picture moves."""
    assert scored("on twos").value("motion.pan") == pytest.approx(100 * 3 * FPS / 240, rel=0.05)
    assert scored("on twos").value("flicker") < SPECS["flicker"].unnoticed


def test_speed_is_by_the_files_clock(scored: Callable[..., ClipScores]) -> None:
    """With frames at odd times the mean speed is the way over the time that it took."""
    scores = scored("uneven rate")
    assert scores.times_s == pytest.approx([(stamp - STAMPS_MS[0]) / 1000 for stamp in STAMPS_MS])
    spans = list(scores.series["motion.pan"])
    # The strides cover the clip but for a rest at its end.
    assert scores.times_s[spans[-1]] > 0.3
    assert scores.value("motion.pan") == pytest.approx(100 * 33 / 240 / 0.7, rel=0.15)


@pytest.mark.parametrize("kind", SAME_AS_PLAIN)
def test_how_a_clip_is_stored_does_not_matter(scored: Callable[..., ClipScores], kind: str) -> None:
    """Ten bits, HDR's tags, a see-through layer, a turn in the header: the same motion, and no
    defect that is not there.
    """
    scores = scored(kind)
    assert scores.clip.facts.width_px, scores.clip.facts.height_px == (240, 192)
    assert scores.value("motion.pan") == pytest.approx(100 * 3 * FPS / 240, rel=0.05)
    for name in ("flicker", "warp"):
        assert scores.value(name) < SPECS[name].unnoticed
    assert abs(scores.value("drift.proper")) < SPECS["drift.proper"].unnoticed


@pytest.mark.parametrize("kind", ["cut off", "spoiled tail"])
def test_a_damaged_tail_is_scored_to_where_it_breaks(
    scored: Callable[..., ClipScores], kind: str
) -> None:
    """What decodes is scored, and a note says after which frame the rest is missing."""
    scores = scored(kind)
    assert 3 <= scores.frames < 14
    assert f"after frame {scores.frames - 1}" in scores.damage
    assert scores.value("motion.pan") == pytest.approx(100 * 3 * FPS / 240, rel=0.05)
    assert scores.value("flicker") < SPECS["flicker"].unnoticed


def test_a_size_that_changes_is_a_cut(
    scored: Callable[..., ClipScores], clips: Callable[[str], Path]
) -> None:
    """Before and after the change all is measured; across it nothing is."""
    sizes = [frame.rgb.shape[:2] for frame in frames(clips("changing size"))]
    assert sizes == [(192, 240)] * 7 + [(120, 160)] * 7
    scores = scored("changing size")
    assert scores.frames == 14
    assert not {6, 7} & set(scores.series["flicker"])
    assert set(scores.series["motion.pan"]) == {0, 3, 7, 10}
    assert scores.value("flicker") < 2 * SPECS["flicker"].unnoticed


def test_a_fade_to_black_is_no_drift(scored: Callable[..., ClipScores]) -> None:
    """A clip that ends in black is judged by the frames that still show something."""
    assert scored("fading to black").value("drift.worst") < SPECS["drift"].unnoticed


@pytest.mark.parametrize("orientation", [2, 4, 5, 6])
def test_a_still_is_turned_and_mirrored_as_it_asks(
    clips: Callable[[str], Path], wide: Pixels, tmp_path: Path, orientation: int
) -> None:
    """A still stored mirrored or lying on its side is the upright picture, and the clip its own."""
    undo = {2: np.fliplr, 4: np.flipud, 5: lambda rgb: rgb.transpose(1, 0, 2), 6: np.rot90}
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "still.png"
    Image.fromarray(np.ascontiguousarray(undo[orientation](wide))).save(path, exif=exif)
    scores = measure(clips("three frames"), Still.open(path), METRICS[1:2])
    assert scores.value("drift") < SPECS["drift"].unnoticed
