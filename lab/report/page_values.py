"""What a report's page shows of takes, held to the facts inside it."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from lab.report.build import draw
from lab.report.context import ReportContext
from lab.report.sections import VERIFIED_SECTIONS
from lab.report.verification import Count, Mismatch

_TAGS = re.compile(
    "section|h2|p|div|table|caption|thead|tbody|tr|th|td|button|dl|dt|dd|figure|figcaption|img"
    "|span|a|details|summary"
)
_ATTRIBUTES = re.compile(
    "id|class|title|alt|src|href|type|scope|role|tabindex|aria-label|aria-pressed"
    "|data-number|data-shows|data-take"
)
_STRUCTURE = ("table", "tr", "th", "td")


@dataclass(frozen=True)
class Shown:
    """A text on the page that says something of takes: of which, what, the text, how it sorts."""

    take_id: str
    what: str
    text: str
    number: str = ""


@dataclass
class Read:
    """A section as it was read.

    layout: what says something of takes, in order, and the tables' own elements. loose: texts with
    a digit that nothing names. odd: elements and attributes that no report has.
    """

    layout: list[Shown | str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def shown(self) -> list[Shown]:
        """What says something of takes."""
        return [entry for entry in self.layout if isinstance(entry, Shown)]


class Page(HTMLParser):
    """A report's page, read without running anything.

    facts, script, style: as they stand in the page. sections: by id; two of one id count as one.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.facts = self.script = self.style = ""
        self.sections: dict[str, Read] = {}
        self._section: Read | None = None
        self._into = ""  # which script or style is being read
        self._open: tuple[str, int, dict[str, str | None], list[str]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "style" or (tag == "script" and named.get("type") == "module"):
            self._into = tag
            return
        if tag == "script":
            self._into = "facts" if named.get("id") == "i2v-facts" else "data"
            return
        if tag == "section" and self._section is None:
            self._section = self.sections.setdefault(named.get("id") or "", Read())
        if self._section is None:
            return
        strange = [name for name in named if not _ATTRIBUTES.fullmatch(name)]
        if strange or not _TAGS.fullmatch(tag):
            self._section.odd.append(f"<{' '.join([tag, *strange])}>")
        if self._open is not None:
            into, depth, about, texts = self._open
            self._open = (into, depth + (tag == into), about, texts)
        if tag in _STRUCTURE:
            self._section.layout.append(tag)
        if "data-shows" in named:
            self._end()
            self._open = (tag, 1, named, [])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._into = ""
        if tag == "section":
            self._end()
            self._section = None
        if self._open is not None and self._open[0] == tag:
            into, depth, about, texts = self._open
            self._open = (into, depth - 1, about, texts)
            if depth == 1:
                self._end()

    def handle_data(self, data: str) -> None:
        if self._into == "facts":
            self.facts += data
        elif self._into == "script":
            self.script += data
        elif self._into == "style":
            self.style += data
        elif self._into == "" and self._open is not None:
            self._open[3].append(data)
        elif self._into == "" and self._section and any(c.isdigit() for c in data):
            self._section.loose.append(" ".join(data.split()))

    def _end(self) -> None:
        """The text that was being read is complete."""
        if self._open is not None and self._section is not None:
            _, _, about, texts = self._open
            take, what, number = (
                about.get(f"data-{name}") or "" for name in ("take", "shows", "number")
            )
            self._section.layout.append(Shown(take, what, "".join(texts), number))
            self._open = None


def compare_page(page: Page, context: ReportContext) -> tuple[Count, bool, list[Mismatch]]:
    """Hold a page to a second drawing of its facts; context: the facts, to be drawn.

    Returns how many values were compared, whether the page runs the script and style of this
    i2v-lab, and what differs.
    """
    again = Page(
        draw([section for build in VERIFIED_SECTIONS if (section := build(context)) is not None])
    )
    found = []
    for anchor in dict.fromkeys([*again.sections, *page.sections]):
        right, now = again.sections.get(anchor), page.sections.get(anchor, Read())
        if right is not None:
            found += [*_texts(now, right), *_strange(anchor, now, right)]
        elif now.shown:
            found += _texts(now, Read())
    count = sum(len(section.shown) for section in again.sections.values())
    own = (page.script, page.style) == (again.script, again.style)
    return Count(count, count), own, found


def _texts(section: Read, again: Read) -> Iterator[Mismatch]:
    """Every text stands once where it should, and none beside them."""
    if section.layout == again.layout:
        return
    right, now = _by_name(again.shown), _by_name(section.shown)
    differ = [key for key in dict.fromkeys([*right, *now]) if right[key] != now[key]]
    for take_id, what in differ:
        one, other = now[take_id, what], right[take_id, what]
        if [shown.text for shown in one] == [shown.text for shown in other]:
            sorts = "the number it sorts by"
            yield Mismatch(take_id, f"{what}, {sorts}", one[0].number, other[0].number)
        else:
            yield Mismatch(take_id, what, _in_words(one), _in_words(other))
    if not differ:
        yield Mismatch("", "what stands where", "another order", "the same values in other places")


def _by_name(shown: Sequence[Shown]) -> dict[tuple[str, str], list[Shown]]:
    named: dict[tuple[str, str], list[Shown]] = defaultdict(list)
    for one in shown:
        named[one.take_id, one.what].append(one)
    return named


def _in_words(shown: Sequence[Shown]) -> str:
    return " and ".join(one.text for one in shown) or "nothing"


def _strange(anchor: str, section: Read, again: Read) -> Iterator[Mismatch]:
    """Numbers that nothing names, and markup that could hide or add one."""
    for text in section.loose:
        if text not in again.loose:
            yield Mismatch("", f"a number under #{anchor} that no fact is behind", text, "none")
    for markup in section.odd:
        yield Mismatch("", f"markup under #{anchor}", markup, "none")
