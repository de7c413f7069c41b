"""The blocks of a report, as plain data. The template renders them and escapes every string.

Texts about takes have a name (`verify_name`). The template puts the name on the text's element, so
that `lab verify` can find the text on the page and compare it with the report's facts.
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

# Matplotlib draws in black. This style inside the SVG replaces black by light colours in dark mode.
_DARK = (
    "<style>@media (prefers-color-scheme: dark) {"
    " text { fill: #e6e9ec !important }"
    ' [style*="stroke: #000000"] { stroke: #a3adb8 !important }'
    ' [style*="stroke: #666666"] { stroke: #a3adb8 !important }'
    " }</style>"
)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph. tone: "", "warning" (highlighted) or "lead" (larger, for the main result).

    verify_name: its name in `lab verify`; "" if it is not verified.
    """

    text: str
    tone: str = ""
    verify_name: str = ""
    kind: str = "paragraph"


@dataclass(frozen=True)
class KeyValues:
    """Labels with values. verify_name: their name in `lab verify`; "" if they are not verified."""

    pairs: Sequence[tuple[str, str]]
    verify_name: str = ""
    kind: str = "key_values"


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and the number to sort by, if there is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Table:
    """A table that the reader can sort by any column. Screen readers read the caption.

    collapsed: the table is folded until the reader opens it. verify_name: its name in `lab verify`;
    "" if it is not verified. take_ids: one id per row, if the rows are about takes. column_names:
    the columns' names in `lab verify`, if they differ from the headings.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    collapsed: bool = False
    verify_name: str = ""
    take_ids: Sequence[str] = ()
    column_names: Sequence[str] = ()
    kind: str = "table"

    def take_id(self, row: int) -> str:
        """The id of the take in a row; "" if the rows are not about takes."""
        return self.take_ids[row] if self.take_ids else ""

    def cell_name(self, row: int, column: int) -> str:
        """The name of a cell in `lab verify`."""
        name = (self.column_names or self.columns)[column]
        row_name = "" if self.take_ids else f" of {self.rows[row][0].text}"
        return f"{name}{row_name} in {self.verify_name}"


@dataclass(frozen=True)
class Picture:
    """A picture. source: a data: URI. alt: the description for screen readers."""

    source: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Tile:
    """A take in the grid. lines: the texts below its poster, by their names in `lab verify`.

    poster: a data: URI; "" if there is none, and then the take cannot be chosen for the player.
    link: the address of the original clip, or "".
    """

    take_id: str
    title: str
    poster: str
    lines: Mapping[str, str]
    link: str


@dataclass(frozen=True)
class Grid:
    """The trials: one column per still, one row per combination of the other factors.

    corner: the heading of the row names. columns: for each still, its name, its picture (a data:
    URI) and the element id of the picture. rows: for each row, its name and the tiles by column.
    """

    caption: str
    corner: str
    columns: Sequence[tuple[str, str, str]]
    rows: Sequence[tuple[str, Sequence[Sequence[Tile]]]]
    kind: str = "grid"


@dataclass(frozen=True)
class Player:
    """The player. data: JSON for `report.js`. chosen: the takes that it opens with."""

    data: Markup
    chosen: Sequence[str]
    kind: str = "player"


Block = Paragraph | KeyValues | Table | Picture | Grid | Player


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The section's element id."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def json_for_page(data: Mapping[str, object]) -> Markup:
    """JSON for a script element, escaped so that no text in it can end the element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - every character with a meaning in HTML is escaped


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """A matplotlib figure as a picture block. The same figure gives the same bytes."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "i2v-lab", "svg.fonttype": "none"}), catch_warnings():
        # The browser draws the text, so glyphs that matplotlib's font lacks do not matter.
        filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    svg = buffer.getvalue()
    body = svg.index(">", svg.index("<svg")) + 1
    encoded = base64.b64encode((svg[:body] + _DARK + svg[body:]).encode()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{encoded}", alt, caption)
