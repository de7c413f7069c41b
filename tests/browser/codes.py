"""Clips whose frames carry their number as black and white fields, and the reading of it."""

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

# Two rows of fields, the second with black for white: a frame that cannot be read says -1.
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
      .reduce((sum, value, place) => place % 4 === 0 ? sum + value / 64 : sum, 0));
    if (Math.abs(one - other) < 100) return -1;
    number = 2 * number + (one > other);
  }
  return number;
}"""


def number_in(grey: NDArray[np.int_]) -> int:
    """The number that a picture of 320 x 180 pixels carries."""
    centres = [round((bit + 0.5) * WIDTH / BITS) for bit in range(BITS)]
    lit = [grey[25, x] > grey[65, x] for x in centres]
    assert all(abs(grey[25, x] - grey[65, x]) > 100 for x in centres), "it cannot be read"
    return sum(one << (BITS - 1 - bit) for bit, one in enumerate(lit))


@cache
def clips() -> Mapping[str, tuple[float, ...] | None]:
    """When each frame of each clip begins, in s, by the name of its prompt; None: no clip."""
    uneven = accumulate([0.0] + [1 / 30, 1 / 10, 1 / 15, 1 / 12] * 4)
    named: dict[str, tuple[float, ...] | None] = {
        "fine": tuple(index / 24 for index in range(36)),
        "fine again": tuple(index / 24 for index in range(36)),
        "coarse": tuple(index / 10 for index in range(10)),
        "uneven": tuple(uneven),
    }
    short = {
        f"short {place}": tuple(index / 25 for index in range(3 + place)) for place in range(1, 8)
    }
    return {**named, **short, LOST: None}


def shown_at(name: str, time_s: float) -> int:
    """The frame of a clip that a moment falls into; its last one from its end on."""
    starts = clips()[name]
    assert starts is not None
    return max(index for index, start in enumerate(starts) if start <= time_s + 1e-4)


def write_coded(path: Path, name: str) -> None:
    """Write a clip; frame times come from `clips`."""
    starts = clips()[name]
    assert starts is not None
    steps = np.diff(starts)
    even = np.allclose(steps, steps[0])
    pictures = _pictures(starts)
    fps = 1 / steps.mean()
    write_clip(path, (frame.rgb for frame in pictures) if even else pictures, fps=fps, crf=10)


def _pictures(starts: Sequence[float]) -> Iterator[Frame]:
    """A photograph that drifts, its upper half covered by the fields."""
    photo = open_image(_PHOTO).rgb
    field = WIDTH // BITS
    for index, start in enumerate(starts):
        picture = np.ascontiguousarray(photo[index : index + HEIGHT, index : index + WIDTH])
        for bit in range(BITS):
            lit = index >> (BITS - 1 - bit) & 1
            place = slice(bit * field, (bit + 1) * field)
            picture[5:45, place] = 235 * lit + 10
            picture[45:85, place] = 245 - 235 * lit
        yield Frame(index, start, picture)


class CodedBackend:
    """Makes coded clips, each named by its prompt."""

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

    def submit(self, take: Any, key: str) -> Job:
        return Job(self.name, f"job-{take.id}", take.id, {"clip": take.shot.prompt.text})

    def adopt(self, take: Any, job_id: str) -> Job:
        return Job(self.name, job_id, take.id, {"clip": take.shot.prompt.text})

    def lookup(self, take: Any, key: str) -> Lookup:
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
