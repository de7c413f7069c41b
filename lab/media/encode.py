"""Write H.264 clips."""

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
_TIME_BASE_HZ = 90_000  # the clock of MPEG streams


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
    keyframe_interval: int | None = None,
) -> int:
    """Encode RGB frames as H.264 4:2:0 BT.709 MP4 and return their number.

    Height and width must be even. Arrays are 1 / `fps` s apart; a `Frame` keeps its own time. `crf`
    is x264's quality, from 0 (lossless) to 51. `threads` 0 lets the encoder choose.
    `keyframe_interval` counts frames; short intervals make seeking fast; None lets the encoder
    choose. `sound` is a mono track of samples in [-1, 1] at 48 kHz, written as AAC and trimmed to
    the length of the video. The file appears under its name only when it is complete. Raises
    RunFolderError when the disk is full, FetchError for any other write error, and ValueError when
    there is no frame.
    """
    path = Path(path)
    try:
        with (
            atomic_write(path) as part,
            av.open(
                f"file:{part}",  # without "file:", FFmpeg reads a name with a colon as a URL
                "w",
                format="mp4",
                container_options={"movflags": "+faststart"},
            ) as container,
            closing(prefetch(pictures)) as prefetched,
        ):
            options = {"crf": str(crf), "preset": preset}
            if keyframe_interval is not None:
                options |= {"g": str(keyframe_interval), "bf": "0"}
            count = _encode(container, prefetched, fps, options, threads, comment, sound)
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
    audio: AudioStream | None = None
    for picture in pictures:
        rgb = picture.rgb if isinstance(picture, Frame) else picture
        if stream is None:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.height, stream.width = rgb.shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.options = dict(options)
            context = stream.codec_context
            if isinstance(picture, Frame):
                context.time_base = Fraction(1, _TIME_BASE_HZ)
            context.thread_count = threads
            context.colorspace = Colorspace.ITU709
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            context.color_range = 1  # limited
            if sound is not None:
                # The muxer needs both streams before the first packet.
                audio = container.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")
        frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        if isinstance(picture, Frame):
            frame.pts, frame.time_base = (
                round(picture.time_s * _TIME_BASE_HZ),
                Fraction(1, _TIME_BASE_HZ),
            )
        container.mux(stream.encode(frame))
        count += 1
    if stream is None:
        raise ValueError("no frame to encode")
    container.mux(stream.encode(None))
    if audio is not None and sound is not None:
        _encode_sound(container, audio, sound[: round(count / fps * SOUND_RATE_HZ)])
    return count


def _encode_sound(
    container: av.container.OutputContainer, audio: AudioStream, samples: NDArray[np.float32]
) -> None:
    step = audio.codec_context.frame_size or 1024
    clipped = np.clip(samples, -1, 1).astype(np.float32)
    for start in range(0, clipped.size, step):
        block = np.ascontiguousarray(clipped[None, start : start + step])
        frame = AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = SOUND_RATE_HZ
        frame.pts = start
        frame.time_base = Fraction(1, SOUND_RATE_HZ)
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))
