"""Write H.264 clips, whole or not at all."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from numpy.typing import NDArray

from lab.errors import FetchError
from lab.files import atomic_write
from lab.media.decode import Frame
from lab.media.prefetch import prefetch

SOUND_RATE_HZ = 48_000
_CLOCK_HZ = 90_000


def write_clip(
    path: Path,
    pictures: Iterable[NDArray[np.uint8] | Frame],
    *,
    fps: float,
    crf: int = 16,
    preset: str = "superfast",
    threads: int = 0,
    comment: str = "",
    sound: NDArray[np.float32] | None = None,
    key_every: int | None = None,
) -> int:
    """Encode RGB frames (height and width even) as H.264 4:2:0 BT.709 MP4; return how many.

    Pixels follow each other at `fps`; a `Frame` keeps its own time. `key_every` frames stands one
    that needs no other, which makes jumping into the clip quick; the encoder chooses when None.
    `crf` is x264's quality, 0 lossless to 51; `threads` 0 lets the encoder choose. `sound` is a
    mono track of samples in [-1, 1] at 48 kHz, written as AAC; it is cut or ends early as it is
    longer or shorter than the pictures. The file appears under its name only when it is complete.
    Raises RunFolderError when the disk is full, FetchError when it refuses otherwise, and
    ValueError when there is no frame.
    """
    path = Path(path)
    try:
        with (
            atomic_write(path) as part,
            av.open(
                f"file:{part}",  # or FFmpeg takes a colon in the name for a protocol
                "w",
                format="mp4",
                container_options={"movflags": "+faststart"},
            ) as container,
            closing(prefetch(pictures)) as drawn,
        ):
            options = {"crf": str(crf), "preset": preset}
            if key_every is not None:
                options |= {"g": str(key_every), "bf": "0"}
            count = _encode(container, drawn, fps, options, threads, comment, sound)
    except (OSError, av.error.FFmpegError) as error:
        raise FetchError(f"{path}: cannot be written ({error.strerror})") from error
    return count


def _encode(
    container: av.container.OutputContainer,
    pictures: Iterable[NDArray[np.uint8] | Frame],
    fps: float,
    options: Mapping[str, str],
    threads: int,
    comment: str,
    sound: NDArray[np.float32] | None,
) -> int:
    if comment:
        container.metadata["comment"] = comment
    count = 0
    stream = None
    voice: AudioStream | None = None
    for picture in pictures:
        rgb = picture.rgb if isinstance(picture, Frame) else picture
        if stream is None:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.height, stream.width = rgb.shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.options = dict(options)
            context = stream.codec_context
            if isinstance(picture, Frame):
                context.time_base = Fraction(1, _CLOCK_HZ)
            context.thread_count = threads
            context.colorspace = Colorspace.ITU709
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            context.color_range = 1  # limited
            if sound is not None:
                # Both tracks have to be there before the first packet is written.
                voice = container.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")
        frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        if isinstance(picture, Frame):
            frame.pts, frame.time_base = round(picture.time_s * _CLOCK_HZ), Fraction(1, _CLOCK_HZ)
        container.mux(stream.encode(frame))
        count += 1
    if stream is None:
        raise ValueError("no frame to encode")
    container.mux(stream.encode(None))
    if voice is not None and sound is not None:
        _add_sound(container, voice, sound[: round(count / fps * SOUND_RATE_HZ)])
    return count


def _add_sound(
    container: av.container.OutputContainer, voice: AudioStream, samples: NDArray[np.float32]
) -> None:
    step = voice.codec_context.frame_size or 1024
    whole = np.clip(samples, -1, 1).astype(np.float32)
    for start in range(0, whole.size, step):
        part = np.ascontiguousarray(whole[None, start : start + step])
        frame = AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.sample_rate = SOUND_RATE_HZ
        frame.pts = start
        frame.time_base = Fraction(1, SOUND_RATE_HZ)
        container.mux(voice.encode(frame))
    container.mux(voice.encode(None))
