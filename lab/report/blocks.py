"""What a report is made of. Plain data; the template draws each kind and escapes every string."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Prose:
    """A paragraph. tone "warning" sets it apart."""

    text: str
    tone: str = ""
    kind: str = "prose"


@dataclass(frozen=True)
class Facts:
    """Labelled facts."""

    pairs: Sequence[tuple[str, str]]
    kind: str = "facts"


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, and a number to sort by where there is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Table:
    """A table that sorts by any column. caption names it for readers and screen readers."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A figure: address (a data: URI), what it shows for those who cannot see it, a caption."""

    source: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class ClipCard:
    """A clip beside its still. video is empty when there is no clip; link is relative."""

    title: str
    still: str
    video: str
    poster: str
    link: str
    sha256: str
    lines: Sequence[str]
    anchor: str


@dataclass(frozen=True)
class Clips:
    """A grid of clips."""

    cards: Sequence[ClipCard]
    kind: str = "clips"


Block = Prose | Facts | Table | Picture | Clips


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The section's id in the page."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """A matplotlib figure as a picture block; the same figure gives the same bytes."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "i2v-lab", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    code = base64.b64encode(buffer.getvalue().encode()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{code}", alt, caption)
