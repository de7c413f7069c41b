"""Makes clips with the frame number in each picture, as black and white fields, and reads it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.backends import FetchResult, Job, JobStatus, Quote
from lab.backends.contract import JobState, Lookup
from lab.media import Frame, open_image, write_clip
from tests.runs.conftest import ScriptedBackend

BITS = 8
WIDTH, HEIGHT = 320, 180
LOST = "never made"
_PHOTO = Path(__file__).resolve().parents[2] / "data" / "stills" / "astronaut.jpg"

# Reads the number of a video's frame. The second row of fields is the inverse of the first. An
# unreadable frame gives -1.
READ = """video => {
  const [bits, width, height] = [8, 320, 180];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  brush.drawImage(video, 0, 0, width, height);
  let number = 0;
  for (let bit = 0; bit < bits; bit++) {
    const x = (bit + 0.5) * width / bits;
    const [one, other] = [25, 65].map((y) => brush.getImageData(x - 4, y - 4, 8, 8).data
      .reduce((sum, value, index) => index % 4 === 0 ? sum + value / 64 : sum, 0));
    if (Math.abs(one - other) < 100) return -1;
    number = 2 * number + (one > other);
  }
  return number;
}"""


def number_in(grey: NDArray[np.int_]) -> int:
    """The number in a picture of 320 x 180 pixels."""
    centres = [round((bit + 0.5) * WIDTH / BITS) for bit in range(BITS)]
    lit = [grey[25, x] > grey[65, x] for x in centres]
    assert all(abs(grey[25, x] - grey[65, x]) > 100 for x in centres), "unreadable frame"
    return sum(one << (BITS - 1 - bit) for bit, one in enumerate(lit))


@cache
def clips() -> Mapping[str, tuple[float, ...] | None]:
    """The start times of the frames of each clip in s, by prompt. None: the clip is never made."""
    uneven = accumulate([0.0] + [1 / 30, 1 / 10, 1 / 15, 1 / 12] * 4)
    named: dict[str, tuple[float, ...] | None] = {
        "fine": tuple(index / 24 for index in range(36)),
        "fine again": tuple(index / 24 for index in range(36)),
        "coarse": tuple(index / 10 for index in range(10)),
        "uneven": tuple(uneven),
    }
    short = {
        f"short {number}": tuple(index / 25 for index in range(3 + number))
        for number in range(1, 8)
    }
    return {**named, **short, LOST: None}


def shown_at(name: str, time_s: float) -> int:
    """The index of the frame that a clip shows at this time. After its end, the last one."""
    starts = clips()[name]
    assert starts is not None
    return max(index for index, start in enumerate(starts) if start <= time_s + 1e-4)


def write_coded(path: Path, name: str) -> None:
    """Write a clip with the frame times in `clips`."""
    starts = clips()[name]
    assert starts is not None
    steps = np.diff(starts)
    even = np.allclose(steps, steps[0])
    pictures = _pictures(starts)
    fps = 1 / steps.mean()
    write_clip(path, (frame.rgb for frame in pictures) if even else pictures, fps=fps, crf=10)


def _pictures(starts: Sequence[float]) -> Iterator[Frame]:
    """A drifting photograph, with the fields on its upper half."""
    photo = open_image(_PHOTO).rgb
    field = WIDTH // BITS
    for index, start in enumerate(starts):
        picture = np.ascontiguousarray(photo[index : index + HEIGHT, index : index + WIDTH])
        for bit in range(BITS):
            lit = index >> (BITS - 1 - bit) & 1
            columns = slice(bit * field, (bit + 1) * field)
            picture[5:45, columns] = 235 * lit + 10
            picture[45:85, columns] = 245 - 235 * lit
        yield Frame(index, start, picture)


class CodedBackend:
    """A backend that makes coded clips. The prompt is the name of the clip."""

    name = "coded"
    origin = "coded"
    account = ""
    capabilities = ScriptedBackend.capabilities
    secrets = ScriptedBackend.secrets

    def quote(self, shot: Any) -> Quote:
        return Quote(0, 0, 1.0, 1000)

    def limits(self, shot: Any) -> tuple[()]:
        return ()

    def prepare(self) -> None:
        pass

    def submit(self, take: Any, external_id: str) -> Job:
        return Job(self.name, f"job-{take.id}", take.id, {"clip": take.shot.prompt.text})

    def adopt(self, take: Any, job_id: str) -> Job:
        return Job(self.name, job_id, take.id, {"clip": take.shot.prompt.text})

    def lookup(self, take: Any, external_id: str) -> Lookup:
        return "absent"

    def pause(self, seconds: float) -> None:
        pass

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        return {
            job.id: JobStatus(JobState.FAILED, "the studio burnt down")
            if job.data["clip"] == LOST
            else JobStatus(JobState.DONE)
            for job in jobs
        }

    def fetch(self, job: Job, path: Path) -> FetchResult:
        write_coded(path, job.data["clip"])
        return FetchResult()

    def close(self) -> None:
        pass
