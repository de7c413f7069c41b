"""Did the clips do what was asked: the camera's measured course against the terms' signatures.

A signature says which way a move takes the picture, not how fast, so what counts is direction: how
much of the measured course is what was asked, and whether it is there at all. Every part of a
course is first divided by the smallest rate worth noticing, so that degrees and percents compare.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.analysis.results import Results
from lab.prompts import Prompt, Signature, Term, vocabulary

# Per second, in each part's unit: about three times what a clip without that motion reads
# (`lab calibrate` measures it).
NOTICEABLE: Mapping[str, float] = {
    "pan": 0.3,
    "tilt": 0.3,
    "roll": 0.25,
    "zoom": 0.6,
    "parallax_x": 0.3,
    "parallax_y": 0.3,
    "approach": 1.0,
    "sway": 0.4,
}
_NEAR_PARTS = ("parallax_x", "parallax_y", "approach")
_HELD = 0.5  # beyond noise, in noticeable units: less is a camera that holds
_SAME = 0.98  # cosine from which two signatures are one move
COMPLIED = 0.7
_MOST_PARTS = 3
COLUMNS = ("take_id", "backend", "term", "compliance", "speed", "seen", "says", "reason")


@dataclass(frozen=True)
class Compliance:
    """How far a clip did what one camera term asked for.

    score: 0 not at all, 1 this and nothing else; NaN, with the reason, where it cannot be judged.
    speed: how fast, as a multiple of the signature at the prompt's pace and strength; NaN for terms
    that hold the camera. seen: the move of the vocabulary that explains the measured course best.
    says: the same in words.
    """

    term: str
    score: float
    speed: float
    seen: str
    says: str
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; NaN becomes None."""
        return {name: None if value != value else value for name, value in asdict(self).items()}

    def __str__(self) -> str:
        if self.reason:
            return f"{self.term}: not judged, because {self.reason}"
        pace = "" if math.isnan(self.speed) else f", {self.speed:.2g}x the speed expected"
        other = "" if family(self.term) == self.seen else f", seen: {self.seen}"
        return f"{self.term}: compliance {self.score:.2f}{pace}{other}; {self.says}"


def comply(motion: Mapping[str, float], prompt: Prompt) -> tuple[Compliance, ...]:
    """Judge a clip by each camera term of its prompt; empty for a prompt without one.

    motion: the clip's scores by name ("motion.pan", ...), NaN where there is none, as `lab.score`
    gives them. Where the subject was not followed, or was asked to move about itself, nothing is
    concluded from its motion beside the ground.
    """
    asked = prompt.of_kind("camera")
    course = _course(motion, near=not _roams(prompt))
    if motion.get("events.cuts", 0) > 0:
        return tuple(_unjudged(term, "the clip has cuts") for term in asked)
    if course is None:
        return tuple(_unjudged(term, "the camera's course was not measured") for term in asked)
    seen = seen_move(course)
    shown = _in_words(course)
    judged = [term for term in asked if term.signature is not None]
    moves = [term for term in judged if _vector(term.signature, course).any()]
    amounts, share = _explained(moves, course)
    found = []
    for term in asked:
        if term.signature is None:
            found.append(_unjudged(term, "what it does to the picture depends on the scene"))
        elif term in moves:
            size = float(np.linalg.norm(_vector(term.signature, course)))
            amount = amounts[moves.index(term)]
            strength = (amount * size) ** 2
            score = share * strength / (strength + 1)
            speed = amount / prompt.amplitude
            found.append(Compliance(term.name, score, speed, seen, shown))
        elif not any(term.signature.model_dump().values()):
            still = 1 / (1 + _beyond_noise(course) ** 2)
            found.append(Compliance(term.name, still, math.nan, seen, shown))
        else:
            found.append(_unjudged(term, "no subject was followed, which alone would show it"))
    return tuple(found)


def seen_move(course: Mapping[str, float]) -> str:
    """The camera move whose signature explains a course best; lock_off for hardly any motion.

    course: the parts of a `Signature` that were measured, in its units.
    """
    measured = _whitened(course)
    size = float(np.linalg.norm(measured))
    if _beyond_noise(course) < _HELD:
        return "lock_off"
    fits = {}
    for term in _distinct():
        wanted = _vector(term.signature, course)
        if wanted.any():
            fits[term.name] = float(measured @ wanted) / size / float(np.linalg.norm(wanted))
    return max(fits, key=fits.__getitem__)


@cache
def family(name: str) -> str:
    """The first term of the vocabulary that takes the picture the same way: whip_pan_left is
    pan_left; the lock-off is itself. Raises KeyError for a term without a signature.
    """
    wanted = {term.name: term for term in _signed()}[name]
    for term in _distinct():
        if _alike(term, wanted):
            return term.name
    return name


def compliance(results: Results) -> pd.DataFrame:
    """One row a take and camera term asked for, with the columns COLUMNS.

    The values are those of `Compliance`; compliance is its score. Takes without a scored clip are
    left out.
    """
    wide = results.scores.pivot(index="take_id", columns="metric", values="value")
    measured = wide[wide["motion"].notna()]
    texts = dict(zip(results.takes["take_id"], results.takes["prompt_text"], strict=True))
    backends = {
        str(take["take_id"]): results.run_of(take).sweep.get("backend", "")
        for take in results.takes.to_dict("records")
    }
    rows = []
    for take_id, motion in zip(measured.index, measured.to_dict("records"), strict=True):
        scores = {str(name): float(value) for name, value in motion.items()}
        for found in comply(scores, Prompt.written(texts[take_id])):
            judged = (found.term, found.score, found.speed, found.seen, found.says, found.reason)
            rows.append((take_id, backends[str(take_id)], *judged))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"compliance": float, "speed": float})


def by_term(table: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Medians of what `compliance` returns: takes, compliance, speed, and what is seen most often.

    by: further columns to group by, such as "backend".
    """
    groups = table.groupby(["term", *by], sort=False)
    return pd.DataFrame(
        {
            "takes": groups["take_id"].count(),
            "compliance": groups["compliance"].median(),
            "speed": groups["speed"].median(),
            "seen most": groups["seen"].agg(lambda seen: seen.mode().iloc[0]),
        }
    ).reset_index()


def _unjudged(term: Term, reason: str) -> Compliance:
    return Compliance(term.name, math.nan, math.nan, "", "", reason)


def _roams(prompt: Prompt) -> bool:
    """True when the subject is asked for a motion that its shift beside the ground would show."""
    return any(term.strength in ("moderate", "strong") for term in prompt.of_kind("subject"))


def _course(motion: Mapping[str, float], *, near: bool) -> dict[str, float] | None:
    """The measured parts of a course, or None when not even the ground was followed."""
    read = {name: motion.get(f"motion.{name}", math.nan) for name in Signature.model_fields}
    if math.isnan(read["pan"]):
        return None
    left_out = () if near else _NEAR_PARTS
    return {k: v for k, v in read.items() if not math.isnan(v) and k not in left_out}


def _whitened(course: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([value / NOTICEABLE[name] for name, value in course.items()])


def _beyond_noise(course: Mapping[str, float]) -> float:
    """Length of a course, counting only what each part has beyond its smallest noticeable rate."""
    beyond = np.maximum(np.abs(_whitened(course)) - 1, 0)
    return float(np.linalg.norm(beyond))


def _vector(signature: Signature | None, course: Mapping[str, float]) -> NDArray[np.float64]:
    """A signature in the parts that were measured, in noticeable units."""
    assert signature is not None
    return _whitened({name: getattr(signature, name) for name in course})


def _explained(
    moves: Sequence[Term], course: Mapping[str, float]
) -> tuple[NDArray[np.float64], float]:
    """How much of each signature the course holds, never less than none, and what share of the
    course they explain together (a cosine, 0..1).
    """
    measured = _whitened(course)
    size = float(np.linalg.norm(measured))
    if not moves or size == 0:
        return np.zeros(len(moves)), 0.0
    basis = np.stack([_vector(term.signature, course) for term in moves], axis=1)
    from scipy.optimize import nnls  # here, for it takes long to load and few commands need it

    amounts, _ = nnls(basis, measured)
    return amounts, float(np.linalg.norm(basis @ amounts)) / size


def _signed() -> tuple[Term, ...]:
    return tuple(term for term in vocabulary().values() if term.signature is not None)


@cache
def _distinct() -> tuple[Term, ...]:
    """One term for every way a picture can be taken, the first in the vocabulary's order."""
    found: list[Term] = []
    for term in _signed():
        assert term.signature is not None
        moves = any(term.signature.model_dump().values())
        if moves and not any(_alike(term, other) for other in found):
            found.append(term)
    return tuple(found)


def _alike(one: Term, other: Term) -> bool:
    everything = dict.fromkeys(NOTICEABLE, 0.0)
    first, second = (_vector(term.signature, everything) for term in (one, other))
    sizes = float(np.linalg.norm(first) * np.linalg.norm(second))
    return sizes > 0 and float(first @ second) / sizes > _SAME


_UNITS = {
    "pan": ("right", "left", "% of the width/s"),
    "tilt": ("up", "down", "% of the height/s"),
    "roll": ("clockwise", "counterclockwise", "°/s"),
    "zoom": ("ground growing", "ground shrinking", "%/s"),
    "parallax_x": ("subject right of its ground", "subject left of its ground", "% of the width/s"),
    "parallax_y": ("subject above its ground", "subject below its ground", "% of the height/s"),
    "approach": ("subject growing beyond it", "subject shrinking beyond it", "%/s"),
    "sway": ("unsteady by", "", "%/s"),
}


def _in_words(course: Mapping[str, float]) -> str:
    """The parts most worth noticing, the largest first, with units."""
    sizes = {name: abs(value) / NOTICEABLE[name] for name, value in course.items()}
    told = [name for name in sorted(sizes, key=lambda name: -sizes[name]) if sizes[name] >= 1]
    said = []
    for name in told[:_MOST_PARTS]:
        forward, back, unit = _UNITS[name]
        way = forward if course[name] > 0 else back
        said.append(f"{way} {abs(course[name]):.2g} {unit}")
    return ", ".join(said) or "hardly any camera motion"
