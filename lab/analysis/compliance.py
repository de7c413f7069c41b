"""Judges whether clips show the camera moves that their prompts asked for.

It compares the measured camera motion with the signature of each camera term. A signature gives the
direction of a move, not its speed. The score is therefore high when the measured motion points in
the direction of the signature (a cosine) and is fast enough to be noticed. Every component is first
divided by the smallest rate worth noticing, which makes degrees and percents comparable.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.analysis.results import Results
from lab.prompts import Prompt, Signature, Term, vocabulary

# Per second, in the component's unit: about three times what a clip without that motion measures
# (see `lab calibrate`).
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
MIN_COMPLIANCE = 0.7
"""A clip with at least this score did what the term asked for."""
COLUMNS = (
    *("take_id", "backend", "term", "outcome", "compliance", "speed"),
    *("seen", "alike", "says", "reason"),
)
_SUBJECT_COMPONENTS = ("parallax_x", "parallax_y", "approach")
_MIN_MOTION = 0.5  # a smaller `_noticeable_excess` counts as a locked-off camera
_SAME_COSINE = 0.98  # signatures with a higher cosine are the same move
_MAX_DESCRIBED = 3
_MAX_INTERVAL = 0.5  # a share with a wider interval may be small or large


class Outcome(StrEnum):
    """Whether a clip shows a requested camera move."""

    DID = "did"
    DID_NOT = "did not"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Compliance:
    """How well a clip complies with one camera term.

    score: from 0, not at all, to 1, this move and no other; NaN, with a reason, if it cannot be
    judged. speed: the measured speed divided by the speed that the signature has at the prompt's
    pace and strength; NaN for terms that hold the camera. seen: the vocabulary's move that fits the
    measured motion best. description: the measured motion in words. alike: the moves that fit as
    well as `seen`, because no subject was followed that would tell them apart.
    """

    term: str
    score: float
    speed: float
    seen: str
    description: str
    reason: str = ""
    alike: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Whether the clip did what the term asks for."""
        if math.isnan(self.score):
            return Outcome.CANNOT_TELL
        return Outcome.DID if self.score >= MIN_COMPLIANCE else Outcome.DID_NOT

    def to_json(self) -> dict[str, Any]:
        """Plain data; NaN becomes None."""
        plain = {name: None if value != value else value for name, value in asdict(self).items()}
        named = {"says" if name == "description" else name: value for name, value in plain.items()}
        return {**named, "outcome": str(self.outcome), "alike": list(self.alike)}

    def __str__(self) -> str:
        if self.outcome is Outcome.CANNOT_TELL:
            return f"{self.term}: {self.outcome}, because {self.reason}"
        speed = "" if math.isnan(self.speed) else f", {self.speed:.2g}x the speed expected"
        seen = "" if canonical_move(self.term) == self.seen else f", seen: {self.seen}"
        alike = ""
        if self.alike:
            alike = f" (looks the same without a followed subject: {', '.join(self.alike)})"
        return (
            f"{self.term}: {self.outcome}, compliance {self.score:.2f}{speed}{seen}{alike}; "
            f"{self.description}"
        )


def clip_compliance(scores: Mapping[str, float | None], prompt: Prompt) -> tuple[Compliance, ...]:
    """Judge a clip by each camera term of its prompt; empty for a prompt without camera terms.

    scores: the clip's scores by name ("motion.pan" and so on), as `lab.score` yields them: None or
    NaN for a missing one. The subject's motion against the background is ignored if the prompt
    asks the subject to move, or if the subject was not tracked.
    """
    terms = prompt.of_kind("camera")
    values = {name: math.nan if value is None else value for name, value in scores.items()}
    motion = _camera_motion(values, with_subject=not _subject_moves(prompt))
    if values.get("events.cuts", 0) > 0:
        return tuple(_not_judged(term, "the clip has cuts") for term in terms)
    if motion is None:
        return tuple(_not_judged(term, "the camera motion was not measured") for term in terms)
    fitting, description = _best_fitting(motion), _describe(motion)
    with_signature = [term for term in terms if term.signature is not None]
    moves = [term for term in with_signature if _signature_vector(term, motion).any()]
    amounts, cosine = _decompose(motion, moves)
    judged = []
    for term in terms:
        reason = _why_cannot_tell(term, motion)
        if reason:
            judged.append(_not_judged(term, reason))
            continue
        if term in moves:
            amount = amounts[moves.index(term)]
            size = float(np.linalg.norm(_signature_vector(term, motion)))
            strength = (amount * size) ** 2
            score = cosine * strength / (strength + 1)
            speed = amount / prompt.amplitude
        else:  # it holds the camera
            score = 1 / (1 + _noticeable_excess(motion) ** 2)
            speed = math.nan
        own = canonical_move(term.name)
        seen = own if own in fitting else fitting[0]
        alike = tuple(name for name in fitting if name != seen)
        judged.append(Compliance(term.name, score, speed, seen, description, alike=alike))
    return tuple(judged)


def seen_move(motion: Mapping[str, float]) -> str:
    """The camera term whose signature fits the motion best; lock_off if there is hardly any motion.

    The first in the vocabulary's order if several fit equally well. motion: the measured components
    of a `Signature`, in its units.
    """
    return _best_fitting(motion)[0]


def _best_fitting(motion: Mapping[str, float]) -> tuple[str, ...]:
    """The camera term whose signature fits the motion best, the first in the vocabulary's order,
    and those with the same signature in these components.
    """
    measured = _normalised(motion)
    if _noticeable_excess(motion) < _MIN_MOTION:
        return ("lock_off",)
    directions = {}
    for term in _distinct_moves():
        if _is_shown_by(motion, term):
            signature = _signature_vector(term, motion)
            directions[term.name] = signature / np.linalg.norm(signature)
    # Rounded, so that floating-point errors do not decide between equally good moves.
    fits = {name: round(float(measured @ along), 9) for name, along in directions.items()}
    best = directions[max(fits, key=fits.__getitem__)]
    return tuple(name for name, along in directions.items() if np.allclose(along, best))


def _is_shown_by(components: Mapping[str, float], term: Term) -> bool:
    """True if these components tell a term from standing still, and from the opposite move."""
    signature = term.signature
    if signature is None or not _signature_vector(term, components).any():
        return False
    return not signature.keeps_subject or components.keys() >= set(_SUBJECT_COMPONENTS)


@cache
def canonical_move(name: str) -> str:
    """The first camera term with the same direction, such as pan_left for whip_pan_left.

    lock_off is its own canonical move. Raises KeyError for a term without a signature.
    """
    named = {term.name: term for term in _terms_with_signature()}[name]
    for term in _distinct_moves():
        if _same_direction(term, named):
            return term.name
    return name


def compliance(results: Results) -> pd.DataFrame:
    """One row for each take and camera term of its prompt, with the columns `COLUMNS`.

    The column compliance is `Compliance.score`. Takes without a scored clip have no row.
    """
    wide = results.scores.pivot(index="take_id", columns="metric", values="value")
    measured = wide[wide["motion"].notna()]
    texts = dict(zip(results.takes["take_id"], results.takes["prompt_text"], strict=True))
    backends = {
        str(take["take_id"]): results.run_of(take).sweep.get("backend", "")
        for take in results.takes.to_dict("records")
    }
    rows = []
    for take_id, record in zip(measured.index, measured.to_dict("records"), strict=True):
        scores = {str(name): float(value) for name, value in record.items()}
        for judged in clip_compliance(scores, Prompt.from_text(texts[take_id])):
            rows.append(
                (
                    *(take_id, backends[str(take_id)], judged.term, str(judged.outcome)),
                    *(judged.score, judged.speed, judged.seen, ", ".join(judged.alike)),
                    *(judged.description, judged.reason),
                )
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"compliance": float, "speed": float})


def by_term(table: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Count the outcomes in a table of `compliance` by term.

    takes: with the term. did: how many show it, and cannot_tell: how many cannot be judged. low,
    high: 95 % Wilson interval of the share of judged takes that show it, 0..1; NaN if none was
    judged. speed: median over the judged takes. seen_instead: the most frequent move of those that
    do not show the term, "" if there are none. by: further columns to group by, such as "backend".
    """
    keys = ["term", *by]
    rows = []
    for values, takes in table.groupby(keys, sort=False):
        did = int((takes["outcome"] == Outcome.DID).sum())
        failed = takes[takes["outcome"] == Outcome.DID_NOT]
        low, high = _share_interval(did, did + len(failed))
        rows.append(
            {
                **dict(zip(keys, values, strict=True)),
                "takes": len(takes),
                "did": did,
                "cannot_tell": len(takes) - did - len(failed),
                "low": low,
                "high": high,
                "speed": float(takes["speed"].median()),
                "seen_instead": "" if failed.empty else str(failed["seen"].mode().iloc[0]),
            }
        )
    counts = ["takes", "did", "cannot_tell", "low", "high", "speed", "seen_instead"]
    return pd.DataFrame(rows, columns=[*keys, *counts])


def describe_counts(row: Mapping[Hashable, Any]) -> str:
    """A row of `by_term` in words: "1 of 2 did, 1 cannot tell; too few takes to say how often"."""
    judged = row["takes"] - row["cannot_tell"]
    parts = [f"{row['did']} of {judged} did"] if judged else []
    if row["cannot_tell"]:
        parts.append(f"{row['cannot_tell']} cannot tell")
    few = judged and row["high"] - row["low"] > _MAX_INTERVAL
    return ", ".join(parts) + ("; too few takes to say how often" if few else "")


def _share_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; NaN without trials."""
    if not trials:
        return math.nan, math.nan
    from scipy.stats import binomtest  # imported late: it loads slowly and few commands need it

    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _why_cannot_tell(term: Term, motion: Mapping[str, float]) -> str:
    """Why a clip with these components cannot be judged by a term; "" if it can."""
    if term.signature is None:
        return "its effect on the picture depends on the scene"
    if not any(term.signature.model_dump().values()) or _is_shown_by(motion, term):
        return ""
    if _signature_vector(term, motion).any():
        return "it looks like another move where the subject's own motion was not measured"
    return "the motion that would show it was not measured or is ignored"


def _not_judged(term: Term, reason: str) -> Compliance:
    return Compliance(term.name, math.nan, math.nan, "", "", reason)


def _subject_moves(prompt: Prompt) -> bool:
    """True if the prompt asks the subject for motion that would look like parallax."""
    return any(term.strength in ("moderate", "strong") for term in prompt.of_kind("subject"))


def _camera_motion(scores: Mapping[str, float], *, with_subject: bool) -> dict[str, float] | None:
    """The measured components, or None if not even the background was tracked."""
    rates = {name: scores.get(f"motion.{name}", math.nan) for name in Signature.model_fields}
    if math.isnan(rates["pan"]):
        return None
    ignored = () if with_subject else _SUBJECT_COMPONENTS
    return {k: v for k, v in rates.items() if not math.isnan(v) and k not in ignored}


def _normalised(motion: Mapping[str, float]) -> NDArray[np.float64]:
    """The components in multiples of the noticeability threshold."""
    return np.array([value / NOTICEABLE[name] for name, value in motion.items()])


def _noticeable_excess(motion: Mapping[str, float]) -> float:
    """The length of the motion beyond the noticeability threshold of each component."""
    excess = np.maximum(np.abs(_normalised(motion)) - 1, 0)
    return float(np.linalg.norm(excess))


def _signature_vector(term: Term, components: Mapping[str, float]) -> NDArray[np.float64]:
    """A term's signature, restricted to some components.

    In multiples of the noticeability threshold.
    """
    assert term.signature is not None
    return _normalised({name: getattr(term.signature, name) for name in components})


def _decompose(
    motion: Mapping[str, float], moves: Sequence[Term]
) -> tuple[NDArray[np.float64], float]:
    """Fit the motion as a sum of moves, by non-negative least squares.

    Returns each move's amount as a multiple of its signature, and the cosine between the motion and
    the fitted sum.
    """
    measured = _normalised(motion)
    length = float(np.linalg.norm(measured))
    if not moves or length == 0:
        return np.zeros(len(moves)), 0.0
    basis = np.stack([_signature_vector(term, motion) for term in moves], axis=1)
    from scipy.optimize import nnls  # imported late: it loads slowly and few commands need it

    amounts, _ = nnls(basis, measured)
    return amounts, float(np.linalg.norm(basis @ amounts)) / length


def _terms_with_signature() -> tuple[Term, ...]:
    return tuple(term for term in vocabulary().values() if term.signature is not None)


@cache
def _distinct_moves() -> tuple[Term, ...]:
    """One camera term for each direction, the first in the vocabulary's order."""
    distinct: list[Term] = []
    for term in _terms_with_signature():
        assert term.signature is not None
        moves = any(term.signature.model_dump().values())
        if moves and not any(_same_direction(term, other) for other in distinct):
            distinct.append(term)
    return tuple(distinct)


def _same_direction(one: Term, other: Term) -> bool:
    first, second = _signature_vector(one, NOTICEABLE), _signature_vector(other, NOTICEABLE)
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    return norms > 0 and float(first @ second) / norms > _SAME_COSINE


_DIRECTIONS = {
    "pan": ("right", "left", "% of the width/s"),
    "tilt": ("up", "down", "% of the height/s"),
    "roll": ("clockwise", "counterclockwise", "°/s"),
    "zoom": ("background growing", "background shrinking", "%/s"),
    "parallax_x": (
        "subject moving right against the background",
        "subject moving left against the background",
        "% of the width/s",
    ),
    "parallax_y": (
        "subject moving up against the background",
        "subject moving down against the background",
        "% of the height/s",
    ),
    "approach": (
        "subject growing against the background",
        "subject shrinking against the background",
        "%/s",
    ),
    "sway": ("unsteady by", "", "%/s"),
}
"""The words for a positive and a negative component, and its unit."""


def _describe(motion: Mapping[str, float]) -> str:
    """The most noticeable components in words, the largest first, with units."""
    sizes = {name: abs(value) / NOTICEABLE[name] for name, value in motion.items()}
    noticeable = [name for name in sorted(sizes, key=lambda name: -sizes[name]) if sizes[name] >= 1]
    parts = []
    for name in noticeable[:_MAX_DESCRIBED]:
        positive, negative, unit = _DIRECTIONS[name]
        direction = positive if motion[name] > 0 else negative
        parts.append(f"{direction} {abs(motion[name]):.2g} {unit}")
    return ", ".join(parts) or "hardly any camera motion"
