"""Clips with known truth, made and measured one by one: clean, harmlessly changed, or spoiled."""

import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import Image

from lab.calibration.bases import MOVES, Source, base
from lab.calibration.defects import DEFECTS
from lab.calibration.nuisances import CLEAN_CRF, NUISANCES
from lab.errors import InputError, did_you_mean
from lab.files import content_id, make_writable_folder
from lab.measures import Measure
from lab.media import write_clip
from lab.metrics import METRICS, measure
from lab.stills import Still

QUICK_STRENGTHS = (2,)
_DEFECT = {defect.name: defect for defect in DEFECTS}
_NUISANCE = {nuisance.name: nuisance for nuisance in NUISANCES}


@dataclass(frozen=True)
class Probe:
    """One clip to make and measure. kind: clean, nuisance or defect. name: which one.

    place: which of the defect's five strengths, weakest 0; -1 for the other kinds.
    """

    source: Source
    kind: str
    name: str
    place: int = -1

    @property
    def strength(self) -> float:
        """In the defect's unit; 0 for a clip without one."""
        return _DEFECT[self.name].strengths[self.place] if self.kind == "defect" else 0.0

    @property
    def title(self) -> str:
        """What the clip is called when it cannot be measured."""
        strength = f" of strength {self.strength:g}" if self.kind == "defect" else ""
        return f"{self.name}{strength} on {self.source.name}"

    @property
    def key(self) -> str:
        """The same for the same clip, anywhere: what a kept row is found by."""
        source = (self.source.group, self.source.move, self.source.other.stem)
        return content_id([*source, self.kind, self.name, self.strength])


def probes(sources: Sequence[Source], *, quick: bool) -> list[Probe]:
    """Every probe of the sources; when quick, only the middle strength of each defect.

    Defects that are held out are only put into the half that is kept for the final figure.
    """
    places = QUICK_STRENGTHS if quick else range(5)
    made = []
    for source in sources:
        made.append(Probe(source, "clean", "clean"))
        made += [Probe(source, "nuisance", nuisance.name) for nuisance in NUISANCES]
        made += [
            Probe(source, "defect", defect.name, place)
            for defect in DEFECTS
            if source.final or not defect.held_out
            for place in places
        ]
    return made


class ProbeRow(TypedDict):
    """A measured probe as plain data; a score is None where there is none."""

    key: str
    base: str
    group: str
    move: str
    final: bool
    kind: str
    name: str
    place: int
    strength: float
    scores: dict[str, float | None]


def take(probe: Probe) -> ProbeRow:
    """Worker: make a probe's clip, measure it, forget the clip. Returns a plain row."""
    clean = base(probe.source)
    frames, fps, crf, still = clean.frames, clean.fps, CLEAN_CRF, clean.still
    if probe.kind == "nuisance":
        nuisance = _NUISANCE[probe.name]
        changed = nuisance.change(clean)
        frames, fps, crf, still = changed.frames, changed.fps, nuisance.crf, changed.still
    elif probe.kind == "defect":
        luck = np.random.default_rng(zlib.crc32(probe.key.encode()))
        frames = _DEFECT[probe.name].inject(clean, probe.strength, luck)
    with tempfile.TemporaryDirectory() as folder:
        clip, picture = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        write_clip(clip, frames, fps=fps, crf=crf, threads=1)
        Image.fromarray(still).save(picture)
        scored = measure(clip, Still.open(picture), METRICS)
    source = probe.source
    return {
        "key": probe.key,
        "base": source.name,
        "group": source.group,
        "move": source.move,
        "final": source.final,
        "kind": probe.kind,
        "name": probe.name,
        "place": probe.place,
        "strength": probe.strength,
        "scores": Measure.of(scored).record()["scores"],
    }


def take_all(chunk: Sequence[Probe]) -> list[ProbeRow]:
    """Worker: several probes, one after the other."""
    return [take(probe) for probe in chunk]


def spoil(
    still: str | Path,
    defect: str,
    strength: float,
    path: str | Path,
    *,
    move: str = "push in",
    other: str | Path | None = None,
) -> Path:
    """Write a two-second clip of a still under a camera move with one defect of known strength.

    defect and move: names in DEFECTS and MOVES. strength: in the defect's unit; 0 leaves the clip
    clean. other: what an identity drifts to, the still's own surroundings when None. Returns the
    clip's path. Raises InputError for a name that does not exist, StillError for a bad still.
    """
    for what, name, known in (("defect", defect, _DEFECT), ("move", move, MOVES)):
        if name not in known:
            raise InputError(f"{what} {name!r}: {did_you_mean(name, list(known))}")
    opened = Still.open(still)
    clean = base(Source(opened.path, move, Path(other or opened.path), final=False))
    luck = np.random.default_rng(zlib.crc32(defect.encode()))
    frames = _DEFECT[defect].inject(clean, strength, luck) if strength else clean.frames
    target = Path(path)
    make_writable_folder(target.parent)
    write_clip(target, frames, fps=clean.fps, crf=CLEAN_CRF)
    return target
