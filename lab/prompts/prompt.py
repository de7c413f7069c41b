"""One motion prompt: its text and the terms it is made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lab.errors import PromptError
from lab.prompts.vocabulary import KINDS, Kind, Term, find_term, recognise, vocabulary

MAX_CHARS = 3000


@dataclass(frozen=True)
class Prompt:
    """Text that describes the motion, and the vocabulary's terms in it, in order.

    label is what tables call it: the given name, or the text shortened.
    """

    text: str
    terms: tuple[str, ...]
    name: str = ""

    @classmethod
    def written(cls, text: str, name: str = "") -> Self:
        """A prompt as somebody wrote it; its terms are recognised. Raises PromptError if empty."""
        if not isinstance(text, str):
            raise PromptError(f"expected the prompt's text, not {text!r}")
        text = " ".join(text.split())
        if not text:
            raise PromptError("the prompt is empty; name a camera move, a subject action, a pace")
        if len(text) > MAX_CHARS:
            raise PromptError(f"the prompt has {len(text)} characters; at most {MAX_CHARS}")
        return cls(text, tuple(term.name for term in recognise(text)), name)

    @classmethod
    def of(
        cls,
        camera: str | Iterable[str] = (),
        subject: str | Iterable[str] = (),
        *,
        pace: str = "",
        mood: str = "",
        name: str = "",
    ) -> Self:
        """A prompt built from terms of the vocabulary. Raises PromptError for an unknown one."""
        chosen = {
            "camera": _terms(camera, "camera"),
            "subject": _terms(subject, "subject"),
            "pace": _terms(pace, "pace"),
            "mood": _terms(mood, "mood"),
        }
        terms = tuple(term.name for group in chosen.values() for term in group)
        if not terms:
            raise PromptError("the prompt is empty; name a camera move, a subject action, a pace")
        return cls(_sentence(chosen), terms, name)

    @property
    def label(self) -> str:
        """What tables call this prompt."""
        return self.name or (self.text if len(self.text) <= 48 else self.text[:47].rstrip() + "…")

    def of_kind(self, kind: Kind) -> tuple[Term, ...]:
        """This prompt's terms of one kind."""
        return tuple(vocabulary()[name] for name in self.terms if vocabulary()[name].kind == kind)

    def factors(self) -> dict[str, str]:
        """Term names by kind, several joined by "+", "" where the prompt names none."""
        return {kind: "+".join(term.name for term in self.of_kind(kind)) for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Plain data, enough for `from_json` in another process."""
        return {"text": self.text, "terms": list(self.terms), "name": self.name}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(data["text"], tuple(data["terms"]), data["name"])


def _terms(names: str | Iterable[str], kind: Kind) -> tuple[Term, ...]:
    listed = [names] if isinstance(names, str) else list(names)
    return tuple(find_term(name, kind) for name in listed if name)


def _sentence(chosen: Mapping[str, tuple[Term, ...]]) -> str:
    pace, mood = (" ".join(term.phrase for term in chosen[kind]) for kind in ("pace", "mood"))
    camera = " and ".join(term.phrase for term in chosen["camera"])
    clauses = [" ".join(word for word in (pace, mood if camera else "", camera) if word)]
    clauses += [term.phrase for term in chosen["subject"]]
    if mood and not camera:
        clauses.append(f"{mood} mood")
    return "; ".join(clause for clause in clauses if clause)
