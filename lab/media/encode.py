"""Write H.264 clips, whole or not at all."""

from collections.abc import Iterable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from numpy.typing import NDArray

from lab.errors import FetchError
from lab.files import written_whole
from lab.media.ahead import ahead


def write_clip(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    *,
    fps: float,
    crf: int = 16,
    preset: str = "superfast",
    threads: int = 0,
    comment: str = "",
) -> int:
    """Encode RGB frames (height and width even) as H.264 4:2:0 BT.709 MP4; return how many.

    `crf` is x264's quality, 0 lossless to 51; `threads` 0 lets the encoder choose. The file
    appears under its name only when it is complete. Raises RunFolderError when the disk is
    full, FetchError when it refuses otherwise, and ValueError when there is no frame.
    """
    path = Path(path)
    try:
        with (
            written_whole(path) as part,
            av.open(
                f"file:{part}",  # or FFmpeg takes a colon in the name for a protocol
                "w",
                format="mp4",
                container_options={"movflags": "+faststart"},
            ) as container,
            closing(ahead(pictures)) as drawn,
        ):
            count = _encode(container, drawn, fps, crf, preset, threads, comment)
    except OSError as error:  # FFmpeg's own errors are OSErrors too
        raise FetchError(f"{path}: cannot be written ({error.strerror})") from error
    return count


def _encode(
    container: av.container.OutputContainer,
    pictures: Iterable[NDArray[np.uint8]],
    fps: float,
    crf: int,
    preset: str,
    threads: int,
    comment: str,
) -> int:
    if comment:
        container.metadata["comment"] = comment
    count = 0
    stream = None
    for rgb in pictures:
        if stream is None:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.height, stream.width = rgb.shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": str(crf), "preset": preset}
            context = stream.codec_context
            context.thread_count = threads
            context.colorspace = Colorspace.ITU709
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            context.color_range = 1  # limited
        frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        container.mux(stream.encode(frame))
        count += 1
    if stream is None:
        raise ValueError("no frame to encode")
    container.mux(stream.encode(None))
    return count
