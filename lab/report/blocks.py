"""What a report is made of. Plain data; the template draws each kind and escapes every string.

A text about takes has a name (`verified_as`). The template writes the name beside the text, so
that `lab verify` finds the text on the page and compares it with the report's facts.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

# Inside the picture: matplotlib draws in black, and a page on dark paper shows it in light ink.
_DARK = (
    "<style>@media (prefers-color-scheme: dark) {"
    " text { fill: #e6e9ec !important }"
    ' [style*="stroke: #000000"] { stroke: #a3adb8 !important }'
    ' [style*="stroke: #666666"] { stroke: #a3adb8 !important }'
    " }</style>"
)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph. tone "warning" sets it apart, "lead" makes it what is read first.

    verified_as: what it says of takes, for `lab verify`; "" for what says nothing of them.
    """

    text: str
    tone: str = ""
    verified_as: str = ""
    kind: str = "paragraph"


@dataclass(frozen=True)
class KeyValues:
    """Labelled facts. verified_as: what `lab verify` calls them; "" for those it does not hold."""

    pairs: Sequence[tuple[str, str]]
    verified_as: str = ""
    kind: str = "key_values"


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, and a number to sort by where there is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Table:
    """A table that the reader can sort by any column. Screen readers read the caption.

    collapsed: the table is folded until the reader opens it. verified_as: its name in `lab verify`;
    "" if it is not verified. take_ids: one id a row, if the rows are about takes. column_names:
    the columns' names in `lab verify`, if they differ from the headings.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    collapsed: bool = False
    verified_as: str = ""
    take_ids: Sequence[str] = ()
    column_names: Sequence[str] = ()
    kind: str = "table"

    def take_id(self, row: int) -> str:
        """The take that a row is about, or ""."""
        return self.take_ids[row] if self.take_ids else ""

    def cell_name(self, row: int, column: int) -> str:
        """What a cell shows, as `lab verify` names it."""
        name = (self.column_names or self.columns)[column]
        of = "" if self.take_ids else f" of {self.rows[row][0].text}"
        return f"{name}{of} in {self.verified_as}"


@dataclass(frozen=True)
class Picture:
    """A figure: address (a data: URI), what it shows for those who cannot see it, a caption."""

    source: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Tile:
    """A take in the grid: its poster, lines under it by what they show, and what it is called.

    poster: a data: URI; "" where there is none, and the take cannot be chosen for the player.
    """

    take_id: str
    title: str
    poster: str
    lines: Mapping[str, str]
    link: str


@dataclass(frozen=True)
class Grid:
    """The trials: a column a still, a row a combination of the other factors.

    columns: name, picture and the picture's id of each still. rows: the row's name, then the tiles
    of each column.
    """

    caption: str
    corner: str
    columns: Sequence[tuple[str, str, str]]
    rows: Sequence[tuple[str, Sequence[Sequence[Tile]]]]
    kind: str = "grid"


@dataclass(frozen=True)
class Player:
    """The player, with the takes that it opens with. data: what `report.js` reads."""

    data: Markup
    chosen: Sequence[str]
    kind: str = "player"


Block = Paragraph | KeyValues | Table | Picture | Grid | Player


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The section's id in the page."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def in_page(data: Mapping[str, object]) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 - nothing that HTML would read is left in it


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """A matplotlib figure as a picture block; the same figure gives the same bytes."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "i2v-lab", "svg.fonttype": "none"}), catch_warnings():
        # The browser draws the text, with letters that matplotlib's font may lack.
        filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    drawn = buffer.getvalue()
    body = drawn.index(">", drawn.index("<svg")) + 1
    code = base64.b64encode((drawn[:body] + _DARK + drawn[body:]).encode()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{code}", alt, caption)
