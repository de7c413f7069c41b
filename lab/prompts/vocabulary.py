"""The terms of directing: one row each in vocabulary.toml, found again in written text."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lab.errors import PromptError, did_you_mean

Kind = Literal["camera", "subject", "pace", "mood"]
KINDS: tuple[Kind, ...] = ("camera", "subject", "pace", "mood")
Ambient = Literal["steam", "clouds", "ripple", "cloth", "hair", "leaves"]


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


class Term(_Row):
    """One word of the vocabulary.

    synonyms are other ways users write it. vague terms ask for motion without naming one.
    camera, pace and ambient say how the local renderer plays it; a term with none of them is
    understood but cannot be played there.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Kind
    phrase: str = Field(min_length=2)
    synonyms: tuple[str, ...] = ()
    camera: CameraRates | None = None
    pace: Pace | None = None
    ambient: Ambient | None = None

    @property
    def moves_camera(self) -> bool:
        """True for a camera move other than holding still."""
        return self.camera is not None and any(self.camera.model_dump().values())


class _File(_Row):
    term: tuple[Term, ...]


@cache
def vocabulary() -> dict[str, Term]:
    """Every term by name, in the file's order."""
    text = (files("lab.prompts") / "vocabulary.toml").read_text(encoding="utf-8")
    return {term.name: term for term in _File.model_validate(tomllib.loads(text)).term}


def find_term(name: str, kind: Kind) -> Term:
    """The term of that name or synonym. Raises PromptError naming the nearest one."""
    wanted = _plain(name)
    of_kind = [term for term in vocabulary().values() if term.kind == kind]
    for term in of_kind:
        if wanted in (_plain(term.name), _plain(term.phrase), *map(_plain, term.synonyms)):
            return term
    hint = did_you_mean(wanted.replace(" ", "_"), [term.name for term in of_kind])
    raise PromptError(f"{kind} term {name!r} is not in the vocabulary; {hint}")


def recognise(text: str) -> tuple[Term, ...]:
    """The terms that a written prompt uses, in the order they appear; longest wording wins."""
    plain = f" {_plain(text)} "
    first: dict[str, int] = {}
    for wording, term in _wordings():
        needle = f" {wording} "
        start = plain.find(needle)
        while start >= 0:
            first[term.name] = min(start, first.get(term.name, start))
            # Blanked out, so that a shorter wording inside this one is not found again.
            plain = plain[: start + 1] + "\0" * len(wording) + plain[start + 1 + len(wording) :]
            start = plain.find(needle)
    return tuple(vocabulary()[name] for name in sorted(first, key=first.__getitem__))


@cache
def _wordings() -> tuple[tuple[str, Term], ...]:
    pairs = [
        (_plain(wording), term)
        for term in vocabulary().values()
        for wording in {term.name, term.phrase, *term.synonyms}
    ]
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0])))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
