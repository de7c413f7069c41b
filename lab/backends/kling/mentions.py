"""Find and replace mentions of elements in a prompt: @name."""

import re
from collections.abc import Mapping, Sequence

from lab.shots import Shot

ELEMENT_NAME = re.compile(r"[A-Za-z0-9_]+")
# An at sign inside a word belongs to an e-mail address.
_MENTION = re.compile(r"(?<![\w@.])@([A-Za-z0-9_]+)")


def prompt_texts(shot: Shot) -> tuple[str, ...]:
    """The texts to send: one for each segment of a multi-shot clip, otherwise the whole prompt."""
    segments = shot.prompt.multi_shot
    return tuple(segment.text for segment in segments) if segments else (shot.prompt.text,)


def mentioned_names(texts: Sequence[str]) -> tuple[str, ...]:
    """The names mentioned in the texts, each once, in order."""
    return tuple(dict.fromkeys(name for text in texts for name in _MENTION.findall(text)))


def replace_mentions(text: str, replacements: Mapping[str, str]) -> str:
    """The text with each @name that is a key of `replacements` replaced by its value."""
    return _MENTION.sub(lambda match: replacements.get(match[1], match[0]), text)
