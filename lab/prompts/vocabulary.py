"""The terms of directing: one row each in vocabulary.toml."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.errors import PromptError, did_you_mean
from lab.prompts.words import plain
from lab.stills import Needs

Kind = Literal["camera", "subject", "strength", "pace", "mood"]
KINDS: tuple[Kind, ...] = ("camera", "subject", "strength", "pace", "mood")
Ambient = Literal["steam", "clouds", "ripple", "cloth", "hair", "leaves"]
Direction = Literal[
    "none", "left", "right", "up", "down", "in", "out", "clockwise", "counterclockwise"
]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraRates(_Row):
    """How a camera moves at medium pace, per second of clip. Zero is not moving.

    Directions are the camera's, so a pan to the right moves the picture to the left.
    """

    pan: float = 0.0
    """Turning right, in frame widths."""
    tilt: float = 0.0
    """Turning up, in frame heights."""
    roll: float = 0.0
    """Turning clockwise, in degrees."""
    zoom: float = 0.0
    """Natural logarithm of the magnification, the same for near and far."""
    dolly: float = 0.0
    """Moving in, as a share of the distance to the subject: near things grow faster."""
    truck: float = 0.0
    """Moving right, in frame widths at the subject's distance: near things shift more."""
    crane: float = 0.0
    """Moving up, in frame heights at the subject's distance."""
    shake: float = 0.0
    """Handheld sway: rms in share of the frame height (an amplitude, not a rate)."""


class Pace(_Row):
    """How a pace changes a camera move."""

    amplitude: float = Field(gt=0)
    """Factor on every rate."""
    easing: Literal["smooth", "linear", "rush"]
    """smooth starts and ends gently; rush starts fast and settles."""


class Signature(_Row):
    """What a camera move does to the picture, per second at medium pace.

    Measured by `lab.metrics` under the names motion.pan and so on. Only signs and proportions bind
    a service: how fast "a pan" is, each decides for itself.
    """

    pan: float = 0.0
    """The ground going left, in % of the width."""
    tilt: float = 0.0
    """The ground going down, in % of the height."""
    roll: float = 0.0
    """The ground turning counterclockwise, in degrees."""
    zoom: float = 0.0
    """The ground growing, in %."""
    parallax_x: float = 0.0
    """The subject going right beyond what the ground does, in % of the width."""
    parallax_y: float = 0.0
    """The subject going up beyond what the ground does, in % of the height."""
    approach: float = 0.0
    """The subject growing beyond what the ground does, in %."""
    sway: float = 0.0
    """Unsteadiness: rms of pan and tilt beside a smooth course, in % of the frame."""

    @property
    def keeps_subject(self) -> bool:
        """True if the camera keeps the subject in place while the ground moves, as in an orbit.

        The ground alone then looks like another move, such as a pan.
        """
        return (
            self.pan * self.parallax_x > 0
            or self.tilt * self.parallax_y > 0
            or self.zoom * self.approach < 0
        )


class Term(_Row):
    """One word of the vocabulary.

    phrase: how a built prompt says it. verb: what a sentence about the camera says it does, "" for
    the phrase. synonyms: other ways users write it; of several words each
    may be inflected. decoys: wordings that contain one of these and mean something else. direction:
    the camera's or the subject's. strength: how much motion it asks for by itself. conflicts: terms
    that exclude it; saying it on one side is enough. needs: what it asks of the still.
    signature: what a camera move should do to the picture; None where that depends on the scene.
    camera, pace, extent and ambient say how the local renderer plays it (extent: a factor on how
    far a move goes); a term with none of them is understood but cannot be played there.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Kind
    phrase: str = Field(min_length=2)
    verb: str = ""
    synonyms: tuple[str, ...] = ()
    decoys: tuple[str, ...] = ()
    direction: Direction = "none"
    strength: Literal["none", "subtle", "moderate", "strong"] = "moderate"
    conflicts: tuple[str, ...] = ()
    needs: Needs = Needs()
    signature: Signature | None = None
    camera: CameraRates | None = None
    pace: Pace | None = None
    extent: float | None = Field(default=None, gt=0)
    ambient: Ambient | None = None

    @property
    def wordings(self) -> tuple[str, ...]:
        """Everything that means this term: its name, its phrase, its synonyms."""
        return tuple(dict.fromkeys((self.name, self.phrase, *self.synonyms)))

    @property
    def moves_camera(self) -> bool:
        """True for a camera move other than holding still or changing focus."""
        return self.kind == "camera" and self.name not in ("lock_off", "rack_focus")

    def excludes(self, other: "Term") -> bool:
        """True when one shot cannot hold both."""
        return other.name in self.conflicts or self.name in other.conflicts


class _File(_Row):
    term: tuple[Term, ...]

    @model_validator(mode="after")
    def _conflicts_exist(self) -> Self:
        names = {term.name for term in self.term}
        unknown = {name for term in self.term for name in term.conflicts} - names
        if unknown:
            raise ValueError(f"conflicts name no term: {', '.join(sorted(unknown))}")
        return self


@cache
def vocabulary() -> dict[str, Term]:
    """Every term by name, in the file's order."""
    text = (files("lab.prompts") / "vocabulary.toml").read_text(encoding="utf-8")
    return {term.name: term for term in _File.model_validate(tomllib.loads(text)).term}


def find_term(name: str, kind: Kind) -> Term:
    """The term of that name or synonym. Raises PromptError naming the nearest one."""
    wanted = plain(name)
    of_kind = [term for term in vocabulary().values() if term.kind == kind]
    for term in of_kind:
        if wanted in map(plain, term.wordings):
            return term
    hint = did_you_mean(wanted.replace(" ", "_"), [term.name for term in of_kind])
    raise PromptError(f"{kind} term {name!r} is not in the vocabulary; {hint}")
