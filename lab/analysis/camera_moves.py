"""Which camera move a clip's measured motion shows.

A signature in the vocabulary gives the direction of a camera move, not its speed. A move fits the
measured motion as well as the directions of both agree. Every component is first divided by the
smallest rate worth noticing, which makes degrees and percents comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lab.prompts import Term, vocabulary

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
MIN_SWAY = 1.75
"""Less unsteadiness, in % of the frame per second, counts as a held camera: 20 of 21 clips of
standing cameras measure up to 1.6, handheld footage 2.3 to 26."""
SUBJECT_COMPONENTS = {
    "parallax_x": ("pan", -1),
    "parallax_y": ("tilt", -1),
    "approach": ("zoom", 1),
}
"""The components of the subject beyond the background: for each, the background's component, and
the relative sign of the two if the camera travels past a subject that is nearer."""
# The subject's whole motion as a multiple of the background's. It goes along if that is nearer to 1
# than the first; a subject that fills the frame may grow 1.35 times as fast under a zoom. The
# camera keeps it in place below the second. Against the background by more than the third, it
# moves by itself.
_SAME_RATIO = {"parallax_x": 0.15, "parallax_y": 0.15, "approach": 0.35}
_KEPT_RATIO = 0.25
_MAX_COUNTER_RATIO = 2.0
_TRAVEL_RATIO = 1.5  # of parallax to background in the signatures of travelling cameras
_MIN_MOTION = 0.5  # a smaller `noticeable_excess` counts as a locked-off camera
_SAME_COSINE = 0.98  # signatures with a higher cosine are the same move
_MIN_SECOND_SHARE = 0.4  # of the motion; a smaller second move is named in the description only
_MAX_DESCRIBED = 3


@dataclass(frozen=True)
class SeenMove:
    """The camera move that fits measured motion best.

    name: the first such term in the vocabulary's order; lock_off if there is hardly any motion.
    alike: the other terms that fit as well, because no subject was followed that would tell them
    apart. combined_with: a second move that is needed to explain the motion; "" if there is none.
    """

    name: str
    alike: tuple[str, ...] = ()
    combined_with: str = ""


def as_camera(motion: Mapping[str, float]) -> dict[str, float]:
    """The measured motion as a moving camera alone would cause it, to compare with signatures.

    How far the subject moves beyond the background depends on the scene's depth, and is partly the
    subject's own motion. Only the ratio of its whole motion to the background's is believed, in
    four ranges: it goes along (the camera turns or zooms), faster or slower (the camera travels,
    and the subject is the nearer or the farther part), not at all (the camera keeps it in place),
    or so far against the background that no camera would do it. Where the background stands still,
    the subject moves by itself. motion: measured components of a `Signature`, in its units.
    """
    seen = dict(motion)
    if seen.get("sway", 0.0) < MIN_SWAY:
        seen["sway"] = 0.0
    for name, (background, sign) in SUBJECT_COMPONENTS.items():
        if name not in seen:
            continue
        rate = seen[background]
        ratio = 1 + sign * seen[name] / rate if rate else 1.0
        if abs(ratio - 1) < _SAME_RATIO[name] or ratio < -_MAX_COUNTER_RATIO:
            seen[name] = 0.0
        else:
            seen[name] = sign * rate * (_TRAVEL_RATIO if ratio > _KEPT_RATIO else -1.0)
    return seen


def seen_move(camera: Mapping[str, float]) -> SeenMove:
    """The move that the components from `as_camera` show."""
    if noticeable_excess(camera) < _MIN_MOTION:
        return SeenMove("lock_off")
    measured = normalised(camera)
    directions = {}
    for term in _distinct_moves():
        if is_shown_by(camera, term):
            signature = signature_vector(term, camera)
            directions[term.name] = signature / np.linalg.norm(signature)
    # Rounded, so that floating-point errors do not decide between equally good moves.
    fits = {name: round(float(measured @ along), 9) for name, along in directions.items()}
    best, *alike = (
        name
        for name, along in directions.items()
        if np.allclose(along, directions[max(fits, key=fits.__getitem__)])
    )
    return SeenMove(best, tuple(alike), _second_move(measured, best, directions))


def _second_move(
    measured: NDArray[np.float64], first: str, directions: Mapping[str, NDArray[np.float64]]
) -> str:
    """The move that explains the motion best together with the first, if it is a large part of it.

    directions: unit vector of each move, in the vocabulary's order.
    """
    from scipy.optimize import nnls  # imported late: it loads slowly and few commands need it

    fits = {}
    for name, along in directions.items():
        amounts, left = nnls(np.stack([directions[first], along], axis=1), measured)
        if min(amounts) >= _MIN_SECOND_SHARE * np.linalg.norm(measured):
            fits[name] = round(float(left), 9)
    return min(fits, key=fits.__getitem__, default="")


def is_shown_by(components: Mapping[str, float], term: Term) -> bool:
    """True if these components tell a term from standing still, and from the opposite move."""
    signature = term.signature
    if signature is None or not signature_vector(term, components).any():
        return False
    return not signature.keeps_subject or components.keys() >= SUBJECT_COMPONENTS.keys()


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


def normalised(components: Mapping[str, float]) -> NDArray[np.float64]:
    """The components in multiples of the noticeability threshold."""
    return np.array([value / NOTICEABLE[name] for name, value in components.items()])


def noticeable_excess(components: Mapping[str, float]) -> float:
    """The length of the background's motion beyond the noticeability threshold of each component.

    The subject does not count: it may move by itself.
    """
    background = {k: v for k, v in components.items() if k not in SUBJECT_COMPONENTS}
    excess = np.maximum(np.abs(normalised(background)) - 1, 0)
    return float(np.linalg.norm(excess))


def signature_vector(term: Term, components: Mapping[str, float]) -> NDArray[np.float64]:
    """A term's signature, restricted to some components.

    In multiples of the noticeability threshold.
    """
    assert term.signature is not None
    return normalised({name: getattr(term.signature, name) for name in components})


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
    first, second = signature_vector(one, NOTICEABLE), signature_vector(other, NOTICEABLE)
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


def describe_motion(motion: Mapping[str, float]) -> str:
    """The most noticeable measured components in words, the largest first, with units."""
    sizes = {name: abs(value) / NOTICEABLE[name] for name, value in motion.items()}
    noticeable = [name for name in sorted(sizes, key=lambda name: -sizes[name]) if sizes[name] >= 1]
    parts = []
    for name in noticeable[:_MAX_DESCRIBED]:
        positive, negative, unit = _DIRECTIONS[name]
        direction = positive if motion[name] > 0 else negative
        parts.append(f"{direction} {abs(motion[name]):.2g} {unit}")
    return ", ".join(parts) or "hardly any camera motion"
