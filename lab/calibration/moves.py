"""Renders all camera moves of the vocabulary and checks whether each is recognised as itself."""

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
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

from lab.analysis.camera_moves import canonical_move
from lab.analysis.compliance import Outcome, clip_compliance
from lab.calibration.clean_clips import FPS, FRAMES, SIZE_PX, photographs
from lab.calibration.measuring import measure_clips
from lab.calibration.move_scenes import SCENES
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
_ROUNDING = 0.0006  # a saved table has three decimals
LAYERS = "layers"
"""The scene of a subject before a flat background, which the offline backend renders."""
_SCENE_TERMS = (
    *("lock_off", "pan_right", "tilt_up", "roll_clockwise", "zoom_in", "push_in", "pull_out"),
    *("truck_left", "crane_up", "orbit_right"),
)
"""The moves in the harder scenes, at medium strength: one of each kind."""
_COLUMNS = (
    *("photo", "final", "scene", "term", "strength", "seen", "compliance", "opposite", "speed"),
    *(f"{kind}_{part}" for kind in ("read", "true") for part in COURSE),
)


@dataclass(frozen=True, eq=False)
class Moves:
    """The measured camera moves, one row per clip.

    clips: photo, the photograph; final, whether it is reserved for results; scene, `LAYERS` or one
    of `SCENES`; term and strength of the prompt; seen, the recognised move, or cannot tell;
    compliance with the term; opposite, the compliance with its opposite, NaN if there is none;
    speed relative to the signature. read_pan and so on are the measured rates, true_pan and so on
    the rendered ones, in the units of `lab.prompts.Signature`. `scenes` summarises the harder
    scenes, every other table the clips in `LAYERS`.
    failed: one line with the reason for each clip that could not be measured; `save` omits it.
    """

    clips: pd.DataFrame
    failed: tuple[str, ...] = ()

    @property
    def _in_layers(self) -> pd.DataFrame:
        return self.clips[self.clips["scene"] == LAYERS]

    def scenes(self) -> pd.DataFrame:
        """One row a half and harder scene: the share of recognised moves, and of "cannot tell".

        Before a plain background no camera can be seen, so that "cannot tell" is right there.
        """
        return pd.DataFrame(
            {
                "half": half,
                "scene": scene,
                "clips": len(clips),
                "seen right": _recognised(clips).mean(),
                "cannot tell": (clips["seen"] == Outcome.CANNOT_TELL).mean(),
                "opposite, at most": clips["opposite"].max(),
            }
            for half, scene, clips in _by_half(self.clips, "scene", SCENES)
        )

    def confusion(self, strength: str | None = None, *, final: bool = True) -> pd.DataFrame:
        """Counts of clips: rows are terms, columns recognised moves. strength: all when None."""
        selected = self._in_layers[self._in_layers["final"] == final]
        if strength is not None:
            selected = selected[selected["strength"] == strength]
        table = pd.crosstab(selected["term"], selected["seen"])
        order = [name for name in vocabulary() if name in table.index or name in table.columns]
        return table.reindex(
            index=[name for name in order if name in table.index],
            columns=[name for name in order if name in table.columns],
        )

    def summary(self) -> pd.DataFrame:
        """One row a half and strength: the share of recognised moves, and compliance.

        "opposite, at most" is the highest compliance with the opposite of the term.
        """
        return pd.DataFrame(
            {
                "half": half,
                "strength": strength,
                "clips": len(clips),
                "seen right": _recognised(clips).mean(),
                "compliance": clips["compliance"].median(),
                "least compliance": clips["compliance"].min(),
                "opposite, at most": clips["opposite"].max(),
            }
            for half, strength, clips in _by_half(self._in_layers, "strength", STRENGTHS)
        )

    def rates(self, *, final: bool = True) -> pd.DataFrame:
        """One row a motion component: how exactly its rate is measured.

        slope: regression through 0 of measured on true rates. rms where absent: rms of the measured
        rates in clips without that component, in its unit.
        """
        clips = self._in_layers[self._in_layers["final"] == final]
        rows = []
        for part in COURSE:
            pair = clips[[f"true_{part}", f"read_{part}"]].dropna()
            true, read = (pair[name].to_numpy(float) for name in pair.columns)
            absent = np.abs(true) < 1e-6
            slope = float((true @ read) / (true @ true)) if true.any() else np.nan
            noise = float(np.sqrt(np.mean(read[absent] ** 2))) if absent.any() else np.nan
            rows.append({"part": part, "slope": slope, "rms where absent": noise})
        return pd.DataFrame(rows)

    def confused(self, *, final: bool = True) -> pd.DataFrame:
        """The clips whose move was recognised as another one."""
        clips = self._in_layers
        clips = clips[(clips["final"] == final) & ~_recognised(clips)]
        return clips[["photo", "term", "strength", "seen", "compliance"]].reset_index(drop=True)

    def save(self, path: Path) -> None:
        """Write the rows as CSV, with three decimals."""
        write_text(path, self.clips.to_csv(index=False, float_format="%.3f"))

    @classmethod
    def read(cls, text: str) -> Self:
        """Inverse of `save`. text: of the file. Raises InputError for another table."""
        try:
            clips = pd.read_csv(io.StringIO(text))
        except ValueError as error:
            raise InputError(
                "is not a table of camera moves; `lab calibrate` writes one"
            ) from error
        if list(clips.columns) != list(_COLUMNS):
            raise InputError("is not a table of camera moves; `lab calibrate` writes one")
        return cls(clips)

    def __str__(self) -> str:
        def text(frame: pd.DataFrame) -> str:
            return frame.to_string(index=False, float_format="{:.2f}".format, na_rep="-")

        blocks = ["Camera moves, requested and recognised:\n" + text(self.summary())]
        if len(self.scenes()):
            blocks.append("In harder scenes:\n" + text(self.scenes()))
        blocks.append("Measured against rendered rates:\n" + text(self.rates()))
        confused = self.confused()
        if len(confused):
            blocks.append("Recognised as another move:\n" + text(confused))
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
    """Render all camera moves at three strengths on all photographs, measure and judge them.

    Also renders some moves in harder scenes (`SCENES`). Returns the table, which is also written to
    `out`/moves.csv. stills: a folder of photographs; the sample stills when None. quick: two
    photographs and medium strength only, no harder scenes. known: a table whose rows are reused if
    the renderer still draws their moves alike; only new and changed moves are measured. Measured
    clips are cached in `out`/moves.jsonl, so that a second call continues.
    Raises InputError for fewer than two photographs, Interrupted on Ctrl-C.
    """
    folder = Path(out)
    make_writable_folder(folder)
    photos = photographs(None if stills is None else Path(stills))
    if len(photos) < 2:
        raise InputError("camera moves need at least two photographs (.jpg or .png)")
    probes = [
        MoveProbe(photo, index % 2 == 1, scene, term, strength)
        for index, photo in enumerate(photos[:2] if quick else photos)
        for scene in ((LAYERS,) if quick else (LAYERS, *SCENES))
        for term in _terms_in(scene)
        for strength in (STRENGTHS if scene == LAYERS and not quick else STRENGTHS[1:2])
    ]
    rows = {} if known is None else _reusable_rows(known)
    measured = measure_clips(
        [probe for probe in probes if probe.row_key not in rows],
        measure_moves,
        folder / "moves.jsonl",
        executor=executor,
        quiet=quiet,
        unit="camera moves",
    )
    rows |= {probe.row_key: row for probe, row in measured.pairs}
    clips = pd.DataFrame(
        [{**rows[probe.row_key], "final": probe.final} for probe in probes if probe.row_key in rows]
    )
    moves = Moves(clips.reindex(columns=list(_COLUMNS)).astype(_FLOATS), measured.failed)
    moves.save(folder / "moves.csv")
    return moves


@cache
def load_moves() -> Moves:
    """The shipped table."""
    return Moves.read((files("lab.calibration") / "moves.csv").read_text(encoding="utf-8"))


def renderable_terms() -> tuple[Term, ...]:
    """The camera terms that the renderer can perform and that have a signature."""
    terms = vocabulary().values()
    return tuple(term for term in terms if term.camera is not None and term.signature is not None)


def _terms_in(scene: str) -> list[str]:
    return [
        term.name for term in renderable_terms() if scene == LAYERS or term.name in _SCENE_TERMS
    ]


@dataclass(frozen=True)
class MoveProbe:
    """A clip to render and measure: a photograph's scene under a camera term at a strength."""

    photo: Path
    final: bool
    scene: str
    term: str
    strength: str

    @property
    def source(self) -> Path:
        """What consecutive clips share."""
        return self.photo

    @property
    def row_key(self) -> tuple[str, str, str, str]:
        """The key of the clip's row in a table of moves: photograph, scene, term, strength."""
        return self.photo.stem, self.scene, self.term, self.strength

    @property
    def title(self) -> str:
        """The clip's name in error messages."""
        return f"{self.strength} {self.term} on {self.photo.stem} ({self.scene})"

    @property
    def key(self) -> str:
        """A hash of the clip's content: the key of its row in the cache."""
        term = vocabulary()[self.term]
        assert term.signature is not None
        assert term.camera is not None
        motion = [term.camera.model_dump(), term.signature.model_dump()]
        return content_id([self.photo.stem, self.scene, self.term, self.strength, motion])


MoveRow = dict[str, str | float]
"""A measured move as plain data: a row of `Moves.clips` with its key."""


def _reusable_rows(known: Moves) -> dict[tuple[str, str, str, str], MoveRow]:
    """The rows of moves whose rendered rates have not changed since they were measured.

    The parallaxes are not compared, because they depend on the subject's place in the photograph.
    """
    rates_by_move: dict[tuple[str, str], dict[str, float]] = {}
    rows: dict[tuple[str, str, str, str], MoveRow] = {}
    names = {term.name for term in renderable_terms()}
    for row in known.clips.to_dict("records"):
        term, strength = str(row["term"]), str(row["strength"])
        if term not in names:
            continue
        if (term, strength) not in rates_by_move:
            motion = Movement.from_prompt(Prompt.of(term, strength=strength))
            path = camera_path(motion, frames=FRAMES, fps=FPS, seed=_SEED)
            rates_by_move[term, strength] = {
                part: rate
                for part, rate in true_rates(path).items()
                if not part.startswith("parallax")
            }
        rates = rates_by_move[term, strength].items()
        if all(abs(rate - row[f"true_{part}"]) <= _ROUNDING for part, rate in rates):
            key = str(row["photo"]), str(row["scene"]), term, strength
            rows[key] = {str(name): row[name] for name in row}
    return rows


def measure_moves(chunk: Sequence[MoveProbe]) -> list[MoveRow]:
    """Render, measure and judge several moves. Runs in a worker."""
    return [_measure_move(probe) for probe in chunk]


def _measure_move(probe: MoveProbe) -> MoveRow:
    prompt = Prompt.of(probe.term, strength=probe.strength)
    rgb = open_image(probe.photo).rgb
    scene = Scene.framed(rgb, subject_mask(rgb), *SIZE_PX)
    motion = Movement.from_prompt(prompt)
    path = camera_path(motion, frames=FRAMES, fps=FPS, seed=_SEED)
    if probe.scene == LAYERS:
        rendered = render(scene, motion, frames=FRAMES, fps=FPS, seed=_SEED)
        drawn = [(frame.rgb, frame.subject_alpha) for frame in rendered]
    else:
        drawn = list(SCENES[probe.scene](scene, path, FPS))
    with tempfile.TemporaryDirectory() as folder:
        clip, picture = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        write_clip(clip, (rgb for rgb, _ in drawn), fps=FPS, crf=CLEAN_CRF, threads=1)
        Image.fromarray(drawn[0][0]).save(picture)
        scores = measure(clip, Still.open(picture), [Motion()]).scores
    values = {score.name: score.value for score in scores}
    (judged,) = clip_compliance(values, prompt)
    rows, columns = np.nonzero(drawn[0][1] > 127)
    place = (float(columns.mean()), float(rows.mean())) if rows.size else None
    true = true_rates(path, subject_at=place)
    reverse = [clip_compliance(values, Prompt.of(name))[0].score for name in opposites(probe.term)]
    return {
        "key": probe.key,
        "photo": probe.photo.stem,
        "scene": probe.scene,
        "term": probe.term,
        "strength": probe.strength,
        "seen": judged.seen or str(judged.outcome),
        "compliance": judged.score,
        "opposite": max(reverse, default=np.nan),
        "speed": judged.speed,
        **{f"read_{part}": values[f"motion.{part}"] for part in COURSE},
        **{f"true_{part}": rate for part, rate in true.items()},
    }


def true_rates(
    path: Sequence[CameraPose], *, subject_at: tuple[float, float] | None = None
) -> dict[str, float]:
    """The mean rates of a rendered camera path, by the names and in the units of `Signature`.

    subject_at: the subject's place, (x, y) in pixels, at which its shift is compared with the
    background's; the frame's centre when None, as in signatures.
    """
    width, height = SIZE_PX
    steps = []
    for first, second in pairwise(path):
        layers = []
        for inverse_depth in (BACKGROUND_INVERSE_DEPTH, SUBJECT_INVERSE_DEPTH):
            before, after = (
                pose.layer_transform(width, height, inverse_depth) for pose in (first, second)
            )
            flow = (after @ np.linalg.inv(before) - np.eye(3))[:2]
            layers.append(
                [
                    rates_of(flow, width, height, 1 / FPS),
                    rates_of(flow, width, height, 1 / FPS, at=subject_at),
                ]
            )
        steps.append(layers)
    # Each layer has the rates at the frame's centre and those at the subject.
    (centre, background), (_, subject) = np.mean(steps, axis=0)
    relative = (
        background[0] - subject[0],
        background[1] - subject[1],
        subject[3] - background[3],
    )
    values: NDArray[np.float64] = np.array([*centre, *relative])
    return {name: float(value) for name, value in zip(COURSE, values, strict=True)}


def opposites(name: str) -> list[str]:
    """The terms with the opposite signature."""
    signature = vocabulary()[name].signature
    assert signature is not None
    reverse = {part: -rate for part, rate in signature.model_dump().items()}
    if not any(reverse.values()):
        return []
    return [
        term.name
        for term in renderable_terms()
        if term.signature is not None and term.signature.model_dump() == reverse
    ]


def _by_half(
    clips: pd.DataFrame, column: str, values: Iterable[str]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The clips of each half with each value of a column; none that are empty."""
    for final, value in product((False, True), values):
        selected = clips[(clips["final"] == final) & (clips[column] == value)]
        if len(selected):
            yield "final" if final else "develop", value, selected


def _recognised(clips: pd.DataFrame) -> "pd.Series[bool]":
    expected = clips["term"].map(canonical_move)
    expected = expected.mask(clips["scene"] == "plain", str(Outcome.CANNOT_TELL))
    return expected == clips["seen"]


_FLOATS = {name: float for name in _COLUMNS if name.startswith(("read_", "true_"))} | {
    "compliance": float,
    "opposite": float,
    "speed": float,
}
