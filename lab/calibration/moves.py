"""Every camera move of the vocabulary, drawn and measured: is what was asked also what is seen?"""

import io
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise, product
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lab.analysis.compliance import canonical_move, clip_compliance
from lab.calibration.bases import FPS, FRAMES, SIZE_PX, photographs
from lab.calibration.kept import measured
from lab.calibration.nuisances import CLEAN_CRF
from lab.errors import InputError
from lab.files import content_id, make_writable_folder, write_text
from lab.media import open_image, write_clip
from lab.metrics import measure
from lab.metrics.course import rates_of
from lab.metrics.motion import COURSE, Motion
from lab.prompts import Prompt, Term, vocabulary
from lab.render import (
    BACKGROUND_INVERSE_DEPTH,
    SUBJECT_INVERSE_DEPTH,
    CameraPose,
    Scene,
    camera_path,
    render,
)
from lab.render import Motion as Movement
from lab.stills import Still
from lab.vision import subject_mask

STRENGTHS = ("subtle", "moderate", "strong")
_SEED = 3
_ROUNDING = 0.0006  # of a table that was saved
_COLUMNS = (
    *("photo", "final", "term", "strength", "seen", "compliance", "opposite", "speed"),
    *(f"{kind}_{part}" for kind in ("read", "true") for part in COURSE),
)


@dataclass(frozen=True, eq=False)
class Moves:
    """One row a clip. term, strength: what was asked; seen: what the course was taken for.

    photo, final: the photograph, and whether it was kept for the figures. compliance with the term,
    with its opposite (NaN where it has none); speed against the signature. read_pan and so on are
    the measured rates, true_pan the rendered ones, in the units of `lab.prompts.Signature`. failed:
    one line for each clip that could not be measured, and why; not saved.
    """

    clips: pd.DataFrame
    failed: tuple[str, ...] = ()

    def confusion(self, strength: str | None = None, *, final: bool = True) -> pd.DataFrame:
        """Counts of clips: a row a term asked, a column a move seen. All strengths when None."""
        chosen = self.clips[self.clips["final"] == final]
        if strength is not None:
            chosen = chosen[chosen["strength"] == strength]
        table = pd.crosstab(chosen["term"], chosen["seen"])
        order = [name for name in vocabulary() if name in table.index or name in table.columns]
        return table.reindex(
            index=[name for name in order if name in table.index],
            columns=[name for name in order if name in table.columns],
        )

    def summary(self) -> pd.DataFrame:
        """By half and strength: clips, the share whose move is seen, median compliance with the
        term asked, the highest compliance with its opposite.
        """
        rows = []
        for final, strength in product((False, True), STRENGTHS):
            here = self.clips[(self.clips["final"] == final) & (self.clips["strength"] == strength)]
            if here.empty:
                continue
            rows.append(
                {
                    "half": "final" if final else "develop",
                    "strength": strength,
                    "clips": len(here),
                    "seen right": _right(here).mean(),
                    "compliance": here["compliance"].median(),
                    "least compliance": here["compliance"].min(),
                    "opposite, at most": here["opposite"].max(),
                }
            )
        return pd.DataFrame(rows)

    def rates(self, *, final: bool = True) -> pd.DataFrame:
        """How exactly each part of a course is read: slope of read on true rate through 0, and the
        rms of what is read where the part is absent, in its unit.
        """
        here = self.clips[self.clips["final"] == final]
        rows = []
        for part in COURSE:
            pair = here[[f"true_{part}", f"read_{part}"]].dropna()
            true, read = (pair[name].to_numpy(float) for name in pair.columns)
            absent = np.abs(true) < 1e-6
            slope = float((true @ read) / (true @ true)) if true.any() else np.nan
            beside = float(np.sqrt(np.mean(read[absent] ** 2))) if absent.any() else np.nan
            rows.append({"part": part, "slope": slope, "rms where absent": beside})
        return pd.DataFrame(rows)

    def mistaken(self, *, final: bool = True) -> pd.DataFrame:
        """The clips whose move was taken for another: photo, term, strength, seen, compliance."""
        here = self.clips[(self.clips["final"] == final) & ~_right(self.clips)]
        return here[["photo", "term", "strength", "seen", "compliance"]].reset_index(drop=True)

    def save(self, path: Path) -> None:
        """Write the rows as CSV, three decimals a number."""
        write_text(path, self.clips.to_csv(index=False, float_format="%.3f"))

    @classmethod
    def read(cls, text: str) -> Self:
        """Inverse of `save`, from the file's text. Raises InputError for another table."""
        try:
            clips = pd.read_csv(io.StringIO(text))
        except ValueError as error:
            raise InputError("is no table of camera moves; `lab calibrate` writes one") from error
        if list(clips.columns) != list(_COLUMNS):
            raise InputError("is no table of camera moves; `lab calibrate` writes one")
        return cls(clips)

    def __str__(self) -> str:
        def text(frame: pd.DataFrame) -> str:
            return frame.to_string(index=False, float_format="{:.2f}".format, na_rep="-")

        blocks = ["Camera moves, asked and seen:\n" + text(self.summary())]
        blocks.append("Rates as read, against the rendered ones:\n" + text(self.rates()))
        mistaken = self.mistaken()
        if len(mistaken):
            blocks.append("Taken for another move:\n" + text(mistaken))
        if self.failed:
            blocks.append("\n".join(["Could not be measured:", *self.failed]))
        return "\n\n".join(blocks)


def calibrate_moves(
    out: str | Path,
    *,
    stills: str | Path | None = None,
    quick: bool = False,
    known: Moves | None = None,
    executor: Executor | None = None,
    quiet: bool = False,
) -> Moves:
    """Draw every camera move at three strengths on every photograph; the table, also
    `out`/moves.csv.

    stills: a folder of photographs; the sample stills when None. quick: two photographs
    at medium strength. known: its rows of moves that are drawn as they were then are taken over,
    so that only new and changed moves are measured. Measured clips are kept in `out`/moves.jsonl,
    so a second call goes on.
    Raises InputError for a folder without pictures, Interrupted on Ctrl-C.
    """
    folder = Path(out)
    make_writable_folder(folder)
    photos = photographs(None if stills is None else Path(stills))
    if len(photos) < 2:
        raise InputError("camera moves need at least two photographs (.jpg or .png)")
    wanted = [
        MoveProbe(photo, place % 2 == 1, term.name, strength)
        for place, photo in enumerate(photos[:2] if quick else photos)
        for term in played()
        for strength in (STRENGTHS[1:2] if quick else STRENGTHS)
    ]
    rows = {} if known is None else _drawn_alike(known)
    found = measured(
        [probe for probe in wanted if probe.row not in rows],
        take_moves,
        folder / "moves.jsonl",
        executor=executor,
        quiet=quiet,
        unit="camera moves",
    )
    rows |= {probe.row: row for probe, row in found.pairs}
    clips = pd.DataFrame(
        [{**rows[probe.row], "final": probe.final} for probe in wanted if probe.row in rows]
    )
    moves = Moves(clips.reindex(columns=list(_COLUMNS)).astype(_FLOATS), found.failed)
    moves.save(folder / "moves.csv")
    return moves


@cache
def load_moves() -> Moves:
    """The table that comes with the toolkit."""
    return Moves.read((files("lab.calibration") / "moves.csv").read_text(encoding="utf-8"))


def played() -> tuple[Term, ...]:
    """Camera terms that the renderer can play and a signature describes."""
    terms = vocabulary().values()
    return tuple(term for term in terms if term.camera is not None and term.signature is not None)


@dataclass(frozen=True)
class MoveProbe:
    """One clip to draw and measure: a photograph under a camera term at a strength."""

    photo: Path
    final: bool
    term: str
    strength: str

    @property
    def source(self) -> Path:
        """What clips in a row share."""
        return self.photo

    @property
    def row(self) -> tuple[str, str, str]:
        """What tells its row in a table of moves from the others."""
        return self.photo.stem, self.term, self.strength

    @property
    def title(self) -> str:
        """What the clip is called when it cannot be measured."""
        return f"{self.strength} {self.term} on {self.photo.stem}"

    @property
    def key(self) -> str:
        """The same for the same clip, anywhere: what a kept row is found by."""
        term = vocabulary()[self.term]
        assert term.signature is not None
        assert term.camera is not None
        played_as = [term.camera.model_dump(), term.signature.model_dump()]
        return content_id([self.photo.stem, self.term, self.strength, played_as])


MoveRow = dict[str, str | float]
"""A measured move as plain data: how it was asked for and judged, and its rates by name."""


def _drawn_alike(known: Moves) -> dict[tuple[str, str, str], MoveRow]:
    """The rows of moves that the renderer draws as it did when they were measured."""
    drawn: dict[tuple[str, str], dict[str, float]] = {}
    rows: dict[tuple[str, str, str], MoveRow] = {}
    names = {term.name for term in played()}
    for row in known.clips.to_dict("records"):
        term, strength = str(row["term"]), str(row["strength"])
        if term not in names:
            continue
        if (term, strength) not in drawn:
            motion = Movement.from_prompt(Prompt.of(term, strength=strength))
            path = camera_path(motion, frames=FRAMES, fps=FPS, seed=_SEED)
            drawn[term, strength] = true_course(path)
        rates = drawn[term, strength].items()
        if all(abs(rate - row[f"true_{part}"]) <= _ROUNDING for part, rate in rates):
            rows[str(row["photo"]), term, strength] = {str(name): row[name] for name in row}
    return rows


def take_moves(chunk: Sequence[MoveProbe]) -> list[MoveRow]:
    """Worker: draw the moves, measure their course, judge them, forget the clips."""
    return [_take(probe) for probe in chunk]


def _take(probe: MoveProbe) -> MoveRow:
    prompt = Prompt.of(probe.term, strength=probe.strength)
    rgb = open_image(probe.photo).rgb
    scene = Scene.framed(rgb, subject_mask(rgb), *SIZE_PX)
    drawn = list(render(scene, Movement.from_prompt(prompt), frames=FRAMES, fps=FPS, seed=_SEED))
    with tempfile.TemporaryDirectory() as folder:
        clip, picture = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        write_clip(clip, (frame.rgb for frame in drawn), fps=FPS, crf=CLEAN_CRF, threads=1)
        Image.fromarray(drawn[0].rgb).save(picture)
        scores = measure(clip, Still.open(picture), [Motion()]).scores
    motion = {score.name: score.value for score in scores}
    (found,) = clip_compliance(motion, prompt)
    against = [clip_compliance(motion, Prompt.of(name))[0].score for name in _opposites(probe.term)]
    return {
        "key": probe.key,
        "photo": probe.photo.stem,
        "term": probe.term,
        "strength": probe.strength,
        "seen": found.seen,
        "compliance": found.score,
        "opposite": max(against, default=np.nan),
        "speed": found.speed,
        **{f"read_{part}": motion[f"motion.{part}"] for part in COURSE},
        **{f"true_{part}": rate for part, rate in true_course([f.camera for f in drawn]).items()},
    }


def true_course(path: Sequence[CameraPose]) -> dict[str, float]:
    """Mean rates over a rendered path, in the units and by the names of `Signature`."""
    width, height = SIZE_PX
    steps = []
    for here, there in pairwise(path):
        layers = []
        for inverse_depth in (BACKGROUND_INVERSE_DEPTH, SUBJECT_INVERSE_DEPTH):
            before, after = (
                pose.layer_transform(width, height, inverse_depth) for pose in (here, there)
            )
            flow = (after @ np.linalg.inv(before) - np.eye(3))[:2]
            layers.append(np.array(rates_of(flow, width, height, 1 / FPS)))
        steps.append(layers)
    far, near = np.mean(steps, axis=0)
    beside = (far[0] - near[0], far[1] - near[1], near[3] - far[3])
    values: NDArray[np.float64] = np.array([*far, *beside])
    return {name: float(value) for name, value in zip(COURSE, values, strict=True)}


def _opposites(name: str) -> list[str]:
    """Terms whose signature is the reverse of this one's."""
    signature = vocabulary()[name].signature
    assert signature is not None
    back = {part: -rate for part, rate in signature.model_dump().items()}
    if not any(back.values()):
        return []
    return [
        term.name
        for term in played()
        if term.signature is not None and term.signature.model_dump() == back
    ]


def _right(clips: pd.DataFrame) -> "pd.Series[bool]":
    meant = clips["term"].map(canonical_move)
    return meant == clips["seen"]


_FLOATS = {name: float for name in _COLUMNS if name.startswith(("read_", "true_"))} | {
    "compliance": float,
    "opposite": float,
    "speed": float,
}
