"""One input image."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NotRequired, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from lab.errors import StillError
from lab.files import as_path
from lab.media import data_uri, open_image, poster_jpeg
from lab.units import escape_html, escape_line


class StillJson(TypedDict):
    """A still as plain data. history: missing where an older version wrote it."""

    path: str
    sha256: str
    width_px: int
    height_px: int
    changes: list[str]
    history: NotRequired[list[str]]


@dataclass(frozen=True)
class Still:
    """An input image that opens: its file, its content's hash and its size as used.

    width_px and height_px are upright, after EXIF rotation. changes says what had to be done to the
    file's pixels ("alpha composited onto white"). history tells a still that `fit` made from
    another: what was done to it, step by step. Two stills are the same when their content is.
    """

    path: Path = field(compare=False)
    sha256: str
    width_px: int
    height_px: int
    changes: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open and check an image file. Raises StillError with one clear line."""
        path = as_path(path, StillError)
        image = open_image(path)
        height, width = image.rgb.shape[:2]
        return cls(path, image.sha256, width, height, image.changes, image.history)

    @classmethod
    def of(cls, still: "Still | str | Path") -> "Still":
        """The still itself, or the one at a path. Raises StillError as `open`."""
        return still if isinstance(still, Still) else cls.open(still)

    @property
    def name(self) -> str:
        """The file's name without its suffix: what tables call this still.

        A copy that a run folder keeps ends in the beginning of its hash, and is called as the
        original was. In one line, whatever stands in it.
        """
        stem = self.path.stem
        return escape_line(stem.removesuffix(f"-{self.sha256[:8]}") or stem)

    def rgb(self) -> NDArray[np.uint8]:
        """The pixels, (height, width, 3) uint8. Read anew at each call, never kept."""
        return open_image(self.path).rgb

    def at(self, path: Path) -> "Still":
        """The same still, its file lying elsewhere."""
        return replace(self, path=path)

    def to_json(self) -> StillJson:
        """Plain data, enough for `from_json` in another process."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "changes": list(self.changes),
            "history": list(self.history),
        }

    @classmethod
    def from_json(cls, data: StillJson) -> Self:
        """Inverse of `to_json`."""
        return cls(
            path=Path(data["path"]),
            sha256=data["sha256"],
            width_px=data["width_px"],
            height_px=data["height_px"],
            changes=tuple(data["changes"]),
            history=tuple(data.get("history", ())),
        )

    def _repr_html_(self) -> str:
        name = escape_html(self.name)
        picture = data_uri(poster_jpeg(self.rgb(), 240), ".jpg")
        steps = "".join(f"<br>{escape_html(step)}" for step in self.history)
        return (
            f'<figure class="mathjax_ignore" style="margin:0;width:max-content">'
            f'<img alt="still {name}" src="{picture}">'
            f"<figcaption>{name}, {self.width_px}x{self.height_px} px{steps}</figcaption></figure>"
        )
