"""Which figures a prompt cites as @name, and how those names are swapped for others."""

import re
from collections.abc import Mapping, Sequence

from lab.shots import Shot

NAME = re.compile(r"[A-Za-z0-9_]+")
# An at sign inside a word is an address, not a citation.
_CITED = re.compile(r"(?<![\w@.])@([A-Za-z0-9_]+)")


def texts_of(shot: Shot) -> tuple[str, ...]:
    """The texts that are sent: one for each part of a clip with cuts, else the prompt's."""
    parts = shot.prompt.multi_shot
    return tuple(part.text for part in parts) if parts else (shot.prompt.text,)


def cited(texts: Sequence[str]) -> tuple[str, ...]:
    """Names cited in the texts, each once, in order."""
    return tuple(dict.fromkeys(name for text in texts for name in _CITED.findall(text)))


def swapped(text: str, names: Mapping[str, str]) -> str:
    """The text with each @name that is in `names` replaced by its value."""
    return _CITED.sub(lambda found: names.get(found[1], found[0]), text)
