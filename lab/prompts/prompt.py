"""One motion prompt: its text and the terms it is made of."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from lab.errors import PromptError
from lab.prompts.reading import Reading, read
from lab.prompts.vocabulary import KINDS, Kind, Term, find_term, vocabulary
from lab.stills import Needs

MAX_CHARS = 3000


@dataclass(frozen=True)
class Segment:
    """One part of a clip with cuts in it: what happens, and for how many seconds."""

    text: str
    duration_s: float


@dataclass(frozen=True)
class Prompt:
    """Text that describes the motion, and the vocabulary's terms in it, in order.

    multi_shot: the parts of a clip that is to have cuts; () for the usual one without. label is
    what tables call the prompt: the given name, or the text shortened.
    """

    text: str
    terms: tuple[str, ...]
    name: str = ""
    multi_shot: tuple[Segment, ...] = ()

    @classmethod
    def from_text(cls, text: str, name: str = "") -> Self:
        """A prompt as somebody wrote it; its terms are recognised. Raises PromptError if empty."""
        if not isinstance(text, str):
            raise PromptError(f"expected the prompt's text, not {text!r}")
        text = " ".join(text.split())
        if not text:
            raise PromptError("the prompt is empty; name a camera move, a subject action, a pace")
        if len(text) > MAX_CHARS:
            raise PromptError(f"the prompt has {len(text)} characters; at most {MAX_CHARS}")
        return cls(text, tuple(term.name for term in read(text).terms), name)

    @classmethod
    def cut(cls, segments: Iterable[Segment], name: str = "") -> Self:
        """A prompt for a clip with cuts, one segment after the other. Raises as `written`."""
        parts = tuple(Segment(cls.from_text(each.text).text, each.duration_s) for each in segments)
        listed = "; ".join(f"{part.duration_s:g} s: {part.text}" for part in parts)
        return replace(cls.from_text(listed, name), multi_shot=parts)

    @classmethod
    def of(
        cls,
        camera: str | Iterable[str] = (),
        subject: str | Iterable[str] = (),
        *,
        strength: str = "",
        pace: str = "",
        mood: str = "",
        name: str = "",
    ) -> Self:
        """A prompt built from terms of the vocabulary. Raises PromptError for an unknown one."""
        chosen: dict[Kind, tuple[Term, ...]] = {
            "camera": _terms(camera, "camera"),
            "subject": _terms(subject, "subject"),
            "strength": _terms(strength, "strength"),
            "pace": _terms(pace, "pace"),
            "mood": _terms(mood, "mood"),
        }
        # As if somebody had written that sentence: the same text is the same prompt.
        return cls.from_text(_sentence(chosen), name)

    @property
    def label(self) -> str:
        """What tables call this prompt."""
        return self.name or (self.text if len(self.text) <= 48 else self.text[:47].rstrip() + "…")

    @property
    def reading(self) -> Reading:
        """What was understood of the text, word by word."""
        return read(self.text)

    @property
    def amplitude(self) -> float:
        """How large its motion is: 1 at medium pace and strength, 2 for twice as far in a second.

        That of the first pace times that of the first strength named.
        """
        paces = [term.pace.amplitude for term in self.of_kind("pace") if term.pace]
        extents = [term.extent for term in self.of_kind("strength") if term.extent]
        return (paces or [1.0])[0] * (extents or [1.0])[0]

    @property
    def needs(self) -> Needs:
        """What the motion asks of the still: room beside the subject, pixels to come closer."""
        listed = [vocabulary()[name].needs for name in self.terms]
        return Needs.together(listed).scaled(self.amplitude)

    def of_kind(self, kind: Kind) -> tuple[Term, ...]:
        """This prompt's terms of one kind."""
        return tuple(vocabulary()[name] for name in self.terms if vocabulary()[name].kind == kind)

    def _repr_html_(self) -> str:
        return self.reading.to_html()

    def factors(self) -> dict[str, str]:
        """Term names by kind, several joined by "+", "" where the prompt names none."""
        return {kind: "+".join(term.name for term in self.of_kind(kind)) for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Plain data, enough for `from_json` in another process."""
        plain = {"text": self.text, "terms": list(self.terms), "name": self.name}
        return {**plain, "multi_shot": [asdict(segment) for segment in self.multi_shot]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        parts = tuple(Segment(**part) for part in data.get("multi_shot", ()))
        return cls(data["text"], tuple(data["terms"]), data["name"], parts)


def _terms(names: str | Iterable[str], kind: Kind) -> tuple[Term, ...]:
    listed = [names] if isinstance(names, str) else list(names)
    return tuple(find_term(name, kind) for name in listed if name)


def _sentence(chosen: Mapping[Kind, tuple[Term, ...]]) -> str:
    strength, pace, mood = (
        " ".join(term.phrase for term in chosen[kind]) for kind in ("strength", "pace", "mood")
    )
    camera = " and ".join(term.phrase for term in chosen["camera"])
    led = (pace, mood, strength, camera) if camera else (pace,)
    clauses = [" ".join(word for word in led if word)]
    clauses += [term.phrase for term in chosen["subject"]]
    if not camera:
        clauses += [f"{strength} motion"] * bool(strength) + [f"{mood} mood"] * bool(mood)
    return "; ".join(clause for clause in clauses if clause)
