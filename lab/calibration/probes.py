"""Makes and measures clips of known truth: clean, harmlessly changed, or with a defect."""

import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import Image

from lab.calibration.clean_clips import MOVES, Source, clean_clip
from lab.calibration.defects import DEFECTS
from lab.calibration.moving_subjects import SUBJECT_MOVES
from lab.calibration.nuisances import CLEAN_CRF, NUISANCES
from lab.errors import InputError, did_you_mean
from lab.files import content_id, make_writable_folder
from lab.measures import Measure
from lab.media import write_clip
from lab.metrics import METRICS, measure
from lab.stills import Still

_DRAWING = 2  # raise it when clips of the same name look different, so that cached rows are dropped
QUICK_STRENGTHS = (2,)  # indices into Defect.strengths
_DEFECTS_BY_NAME = {defect.name: defect for defect in DEFECTS}
_NUISANCES_BY_NAME = {nuisance.name: nuisance for nuisance in NUISANCES}


@dataclass(frozen=True)
class Probe:
    """A clip to make and measure. kind: clean, nuisance or defect. name: of the nuisance or defect.

    strength_index: into the defect's five strengths; -1 for the other kinds.
    """

    source: Source
    kind: str
    name: str
    strength_index: int = -1

    @property
    def strength(self) -> float:
        """In the defect's unit; 0 for a clip without a defect."""
        return (
            _DEFECTS_BY_NAME[self.name].strengths[self.strength_index]
            if self.kind == "defect"
            else 0.0
        )

    @property
    def title(self) -> str:
        """The clip's name in error messages."""
        strength = f" of strength {self.strength:g}" if self.kind == "defect" else ""
        return f"{self.name}{strength} on {self.source.name}"

    @property
    def key(self) -> str:
        """A hash of the clip's content: the key of its row in the cache."""
        ground = self.source.ground.stem if self.source.ground else ""
        source = (self.source.group, self.source.move, self.source.other.stem, ground)
        return content_id([_DRAWING, *source, self.kind, self.name, self.strength])


def probes(sources: Sequence[Source], *, quick: bool) -> list[Probe]:
    """All probes of the sources. quick: only the middle strength of each defect.

    Held-out defects are injected only into the final half.
    """
    strength_indices = QUICK_STRENGTHS if quick else range(5)
    made = []
    for source in sources:
        made.append(Probe(source, "clean", "clean"))
        made += [Probe(source, "nuisance", nuisance.name) for nuisance in NUISANCES]
        made += [
            Probe(source, "defect", defect.name, index)
            for defect in DEFECTS
            if source.final or not defect.held_out
            for index in strength_indices
        ]
    return made


class ProbeRow(TypedDict):
    """A measured probe as plain data. base_kinds: see `Source`.

    scores: by metric name, None if there is no score.
    """

    key: str
    base: str
    group: str
    move: str
    base_kinds: list[str]
    final: bool
    kind: str
    name: str
    place: int
    strength: float
    scores: dict[str, float | None]


def measure_probe(probe: Probe) -> ProbeRow:
    """Make a probe's clip, measure it and delete it. Runs in a worker."""
    clean = clean_clip(probe.source)
    frames, fps, crf, still = clean.frames, clean.fps, CLEAN_CRF, clean.still
    if probe.kind == "nuisance":
        nuisance = _NUISANCES_BY_NAME[probe.name]
        changed = nuisance.change(clean)
        frames, fps, crf, still = changed.frames, changed.fps, nuisance.crf, changed.still
    elif probe.kind == "defect":
        rng = np.random.default_rng(zlib.crc32(probe.key.encode()))
        frames = _DEFECTS_BY_NAME[probe.name].inject(clean, probe.strength, rng)
    with tempfile.TemporaryDirectory() as folder:
        clip, picture = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        write_clip(clip, frames, fps=fps, crf=crf, threads=1)
        Image.fromarray(still).save(picture)
        scores = measure(clip, Still.open(picture), METRICS)
    source = probe.source
    return {
        "key": probe.key,
        "base": source.name,
        "group": source.group,
        "move": source.move,
        "base_kinds": list(source.base_kinds),
        "final": source.final,
        "kind": probe.kind,
        "name": probe.name,
        "place": probe.strength_index,
        "strength": probe.strength,
        "scores": Measure.from_scores(scores).record()["scores"],
    }


def measure_probes(chunk: Sequence[Probe]) -> list[ProbeRow]:
    """Measure several probes in order. Runs in a worker."""
    return [measure_probe(probe) for probe in chunk]


def inject_defect(
    still: str | Path,
    defect: str,
    strength: float,
    path: str | Path,
    *,
    move: str = "push in",
    other: str | Path | None = None,
) -> Path:
    """Write a two-second clip of a still with one defect; returns its path.

    defect: a name in DEFECTS. strength: in the defect's unit; 0 for a clean clip. move: a camera
    move of MOVES, or a name in SUBJECT_MOVES: the subject moves over a plain ground. other: the
    picture into which identity drift blends and whose subject passes by, the still itself when
    None. Raises InputError for an unknown name or a still without a subject to move, StillError for
    a bad still.
    """
    moves = [*MOVES, *SUBJECT_MOVES]
    for what, name, known in (("defect", defect, list(_DEFECTS_BY_NAME)), ("move", move, moves)):
        if name not in known:
            raise InputError(f"{what} {name!r}: {did_you_mean(name, known)}")
    opened = Still.open(still)
    clean = clean_clip(Source(opened.path, move, Path(other or opened.path), final=False))
    rng = np.random.default_rng(zlib.crc32(defect.encode()))
    frames = _DEFECTS_BY_NAME[defect].inject(clean, strength, rng) if strength else clean.frames
    target = Path(path)
    make_writable_folder(target.parent)
    write_clip(target, frames, fps=clean.fps, crf=CLEAN_CRF)
    return target
