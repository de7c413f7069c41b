"""Words beyond the vocabulary that linting knows: verbs, describing words, impossible events."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.prompts.vocabulary import vocabulary
from lab.prompts.words import stem, words

Size = Literal["subtle", "moderate", "strong"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Unlikely(_Row):
    """An event that no still can plausibly become: one word of each list, in order, in a part.

    unless: words whose presence there makes it another event. across: the parts of a clause that
    "and" joins count as one.
    """

    all: tuple[tuple[str, ...], ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    across: bool = False
    says: str
    instead: str


class Plausible(_Row):
    """What may move in a picture that shows one of the things mentioned."""

    mentions: tuple[str, ...] = Field(min_length=1)
    action: str


class _Describing(_Row):
    words: tuple[str, ...]


class _File(_Row):
    camera: tuple[str, ...]
    vague_subjects: tuple[str, ...]
    vague_verbs: tuple[str, ...]
    camera_adjectives: tuple[str, ...]
    camera_moves: tuple[str, ...]
    never_verbs: tuple[str, ...]
    vague: tuple[str, ...]
    pace_nouns: tuple[str, ...]
    small: tuple[str, ...]
    medium: tuple[str, ...]
    large: tuple[str, ...]
    also_nouns: tuple[str, ...]
    camera_goes: dict[str, str]
    function_words: dict[str, tuple[str, ...]]
    describes: _Describing
    classes: dict[str, tuple[str, ...]]
    unlikely: tuple[Unlikely, ...]
    plausible: tuple[Plausible, ...]

    @model_validator(mode="after")
    def _terms_and_classes_exist(self) -> Self:
        unknown = set(self.camera_goes.values()) - set(vocabulary())
        for rule in self.unlikely:
            cited = {word[1:] for group in rule.all for word in group if word.startswith("@")}
            unknown |= cited - set(self.classes)
        if unknown:
            raise ValueError(f"names nothing: {', '.join(sorted(unknown))}")
        return self


class Lexicon:
    """The file, ready to be asked.

    verbs: how much motion a verb of motion asks for, in each form; bases: the verbs as written
    without an ending. also_nouns: those verbs whose form with an s is as often a plural;
    never_verbs: words that only look like one. camera: words for the camera; camera_adjectives
    stand before its moves; camera_moves are its own where they head a clause. camera_goes: where a
    camera goes, as a term's name, by the direction's word. pace_nouns: what an adjective of tempo
    stands before. function_words: by name, the small words by which grammar is guessed. describing:
    words, as written, of what a picture shows. vague: phrases, as stems, that ask for motion and
    name none. unlikely: rules with their words as stems.
    """

    def __init__(self, file: _File) -> None:
        sizes: tuple[tuple[Size, tuple[str, ...]], ...] = (
            ("moderate", file.medium),
            ("subtle", file.small),
            ("strong", file.large),
        )
        self.verbs = {form: size for size, listed in sizes for form in _forms(listed)}
        self.bases = frozenset((*file.small, *file.medium, *file.large))
        self.also_nouns = _forms(file.also_nouns)
        self.camera = frozenset(file.camera) | {f"{word}s" for word in file.camera}
        self.camera_adjectives = frozenset(file.camera_adjectives)
        self.camera_moves = frozenset(file.camera_moves)
        self.never_verbs = frozenset(file.never_verbs)
        self.camera_goes = {way: vocabulary()[name] for way, name in file.camera_goes.items()}
        self.pace_nouns = frozenset(file.pace_nouns)
        self.function_words = {
            name: frozenset(listed) for name, listed in file.function_words.items()
        }
        self.vague_subjects = frozenset(file.vague_subjects)
        self.vague_verbs = _forms(file.vague_verbs)
        self.vague = tuple(tuple(word.stem for word in words(phrase)) for phrase in file.vague)
        self.describing = frozenset(file.describes.words)
        self.plausible = tuple((frozenset(row.mentions), row.action) for row in file.plausible)
        self.unlikely = tuple(
            (rule, tuple(_group(group, file.classes) for group in rule.all))
            for rule in file.unlikely
        )


@cache
def lexicon() -> Lexicon:
    """The words in lexicon.toml, read once."""
    text = (files("lab.prompts") / "lexicon.toml").read_text(encoding="utf-8")
    return Lexicon(_File.model_validate(tomllib.loads(text)))


def _forms(listed: Iterable[str]) -> frozenset[str]:
    """The verbs as written, with an s, and as participles: run, runs, running."""
    return frozenset(form for word in listed for form in (word, *_inflected(word)))


def _inflected(word: str) -> tuple[str, ...]:
    """Its forms with -s and -ing; the last letter both once and doubled, as in "stirring"."""
    if word[-1] == "y" and word[-2] not in "aeiou":
        third = f"{word[:-1]}ies"
    else:
        third = f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{word}s"
    root = word if word.endswith(("ee", "ye", "oe")) else word.removesuffix("e")
    return third, f"{root}ing", f"{root}{root[-1]}ing"


def _group(group: Iterable[str], classes: dict[str, tuple[str, ...]]) -> frozenset[str]:
    flat = [
        one for word in group for one in (classes[word[1:]] if word.startswith("@") else (word,))
    ]
    return frozenset(stem(form) for form in _forms(flat))
