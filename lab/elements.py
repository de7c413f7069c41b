"""An element: a recurring figure, described by pictures, that prompts cite as @name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.errors import InputError
from lab.files import content_id
from lab.stills import Still

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")


@dataclass(frozen=True)
class Element:
    """The pictures and words that a service registers an element from.

    name: what prompts cite as @name. pictures: the front first, then other sides. description: for
    the service; "" uses the name.
    """

    name: str
    pictures: tuple[Still, ...]
    description: str = ""

    @classmethod
    def from_pictures(
        cls, name: str, pictures: Sequence[str | Path | Still], *, description: str = ""
    ) -> Self:
        """An element from picture files, the front first.

        Raises InputError for a name that no prompt can cite or a picture that is given twice, and
        StillError for a picture that cannot be opened.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InputError(
                f"element {name!r}: a name is a letter, then letters, digits or underscores, at "
                "most 20 in all; prompts cite it as @name"
            )
        listed = [pictures] if isinstance(pictures, str | Path | Still) else list(pictures)
        if not listed:
            raise InputError(f"element {name}: needs at least one picture, its front")
        opened: dict[str, Still] = {}
        for one in listed:
            picture = Still.of(one)
            if picture.sha256 in opened:
                raise InputError(
                    f"element {name}: {picture.path} is the same picture as "
                    f"{opened[picture.sha256].path}; give another side"
                )
            opened[picture.sha256] = picture
        return cls(name, tuple(opened.values()), " ".join(description.split()))

    @property
    def content(self) -> str:
        """16 hex digits, a hash of the pictures in their order. The name does not count."""
        return content_id({"pictures": [picture.sha256 for picture in self.pictures]}, 16)

    @property
    def files(self) -> tuple[str, ...]:
        """The pictures' file names."""
        return tuple(picture.path.name for picture in self.pictures)

    def __str__(self) -> str:
        count = len(self.pictures)
        return f"{self.name}, {count} picture{'s' * (count > 1)}"
