"""Judges whether clips show the camera moves that their prompts asked for.

It compares the measured camera motion with the signature of each camera term (see
`lab.analysis.camera_moves`). The score is high when the measured motion points in the direction of
the signature (a cosine), is fast enough to be noticed, and shows every part of the move.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from lab.analysis.camera_moves import (
    SUBJECT_COMPONENTS,
    as_camera,
    canonical_move,
    describe_motion,
    is_shown_by,
    normalised,
    noticeable_excess,
    seen_move,
    signature_vector,
)
from lab.analysis.results import Results
from lab.prompts import Prompt, Signature, Term

MIN_COMPLIANCE = 0.7
"""A clip with at least this score did what the term asked for."""
COLUMNS = (
    *("take_id", "backend", "term", "outcome", "compliance", "speed"),
    *("seen", "combined_with", "alike", "says", "reason"),
)
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
    measured motion best. combined_with: a second move that is a large part of the motion, or "".
    description: the measured motion in words. alike: the moves that fit as well as `seen`, because
    no subject was followed that would tell them apart.
    """

    term: str
    score: float
    speed: float
    seen: str
    combined_with: str
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
        if self.combined_with:
            seen += f"{'' if seen else ','} combined with {self.combined_with}"
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
        reason = "the camera motion was not measured; the reason of motion.pan says why"
        return tuple(_not_judged(term, reason) for term in terms)
    description, motion = describe_motion(motion), as_camera(motion)
    best = seen_move(motion)
    with_signature = [term for term in terms if term.signature is not None]
    moves = [term for term in with_signature if signature_vector(term, motion).any()]
    amounts, cosine = _decompose(motion, moves)
    judged = []
    for term in terms:
        reason = _why_cannot_tell(term, motion)
        if reason:
            judged.append(_not_judged(term, reason))
            continue
        if term in moves:
            amount = amounts[term.name]
            strength = (amount * float(np.linalg.norm(signature_vector(term, motion)))) ** 2
            score = cosine * strength / (strength + 1) * _completeness(term, motion, moves, amounts)
            speed = amount / prompt.amplitude
        else:  # it holds the camera
            score = 1 / (1 + noticeable_excess(motion) ** 2)
            speed = math.nan
        own, fitting = canonical_move(term.name), (best.name, *best.alike)
        seen = own if own in fitting else best.name
        alike = tuple(name for name in fitting if name != seen)
        fit = (score, speed, seen, best.combined_with, description)
        judged.append(Compliance(term.name, *fit, alike=alike))
    return tuple(judged)


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
                    *(judged.score, judged.speed, judged.seen, judged.combined_with),
                    *(", ".join(judged.alike), judged.description, judged.reason),
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
    if not any(term.signature.model_dump().values()) or is_shown_by(motion, term):
        return ""
    if signature_vector(term, motion).any():
        return "it looks like another move where the subject's own motion was not measured"
    return "the motion that would show it was not measured or is ignored"


def _not_judged(term: Term, reason: str) -> Compliance:
    return Compliance(term.name, math.nan, math.nan, "", "", "", reason)


def _subject_moves(prompt: Prompt) -> bool:
    """True if the prompt asks the subject for motion that would look like parallax."""
    return any(term.strength in ("moderate", "strong") for term in prompt.of_kind("subject"))


def _camera_motion(scores: Mapping[str, float], *, with_subject: bool) -> dict[str, float] | None:
    """The measured components, or None if not even the background was tracked."""
    rates = {name: scores.get(f"motion.{name}", math.nan) for name in Signature.model_fields}
    if math.isnan(rates["pan"]):
        return None
    ignored = () if with_subject else tuple(SUBJECT_COMPONENTS)
    return {k: v for k, v in rates.items() if not math.isnan(v) and k not in ignored}


def _completeness(
    term: Term,
    motion: Mapping[str, float],
    moves: Sequence[Term],
    amounts: Mapping[str, float],
) -> float:
    """How much of every part of a move shows, 0..1; 1 from half the size expected.

    A crane alone does not fly away, although it points most of the way there. motion: what is left
    of it after the other moves is compared. The subject's components count for moves that keep it
    in place: it must stay there.
    """
    assert term.signature is not None
    if not amounts[term.name]:
        return 0.0
    left = dict(motion)
    for other in moves:
        for name in left if other is not term else ():
            left[name] -= amounts[other.name] * getattr(other.signature, name)
    expected = {
        name: amounts[term.name] * getattr(term.signature, name)
        for name in motion
        if term.signature.keeps_subject or name not in SUBJECT_COMPONENTS
    }
    shown = [left[name] / rate for name, rate in expected.items() if rate]
    return float(np.clip(2 * min(shown), 0, 1))


def _decompose(
    motion: Mapping[str, float], moves: Sequence[Term]
) -> tuple[dict[str, float], float]:
    """Fit the motion as a sum of moves, by non-negative least squares.

    Returns each move's amount as a multiple of its signature, by name, and the cosine between the
    motion and the fitted sum.
    """
    measured = normalised(motion)
    length = float(np.linalg.norm(measured))
    if not moves or length == 0:
        return {term.name: 0.0 for term in moves}, 0.0
    basis = np.stack([signature_vector(term, motion) for term in moves], axis=1)
    from scipy.optimize import nnls  # imported late: it loads slowly and few commands need it

    amounts, _ = nnls(basis, measured)
    found = {term.name: float(amount) for term, amount in zip(moves, amounts, strict=True)}
    return found, float(np.linalg.norm(basis @ amounts)) / length
