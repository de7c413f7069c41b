"""Reads the values that a report's page shows and compares them with the facts in the report."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from lab.report.build import render_page
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
_TABLE_TAGS = ("table", "tr", "th", "td")


@dataclass(frozen=True)
class PageValue:
    """A named text on the page. take_id, sort_number: "" if it has none."""

    take_id: str
    name: str
    text: str
    sort_number: str = ""


@dataclass
class PageSection:
    """The contents of one section.

    layout: the named values and the tags of tables, in page order. unnamed_numbers: texts that
    contain a digit and have no name. unexpected_markup: elements and attributes that no report has.
    """

    layout: list[PageValue | str] = field(default_factory=list)
    unnamed_numbers: list[str] = field(default_factory=list)
    unexpected_markup: list[str] = field(default_factory=list)

    @property
    def values(self) -> list[PageValue]:
        """The named values in page order."""
        return [entry for entry in self.layout if isinstance(entry, PageValue)]


@dataclass
class _OpenValue:
    """A value whose element is not closed yet. depth: how many elements with its tag are open."""

    tag: str
    attributes: dict[str, str | None]
    depth: int = 1
    texts: list[str] = field(default_factory=list)


class ReportPage(HTMLParser):
    """The contents of a report's page. Nothing in the page is executed.

    facts, script, style: the texts of these elements. sections: by id. Sections with the same
    id are merged.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.facts = self.script = self.style = ""
        self.sections: dict[str, PageSection] = {}
        self._section: PageSection | None = None
        self._raw_text_of = ""  # the script or style that is being read
        self._value: _OpenValue | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "style" or (tag == "script" and attributes.get("type") == "module"):
            self._raw_text_of = tag
            return
        if tag == "script":
            self._raw_text_of = "facts" if attributes.get("id") == "i2v-facts" else "data"
            return
        if tag == "section" and self._section is None:
            self._section = self.sections.setdefault(attributes.get("id") or "", PageSection())
        if self._section is None:
            return
        unexpected = [name for name in attributes if not _ATTRIBUTES.fullmatch(name)]
        if unexpected or not _TAGS.fullmatch(tag):
            self._section.unexpected_markup.append(f"<{' '.join([tag, *unexpected])}>")
        if self._value is not None and self._value.tag == tag:
            self._value.depth += 1
        if tag in _TABLE_TAGS:
            self._section.layout.append(tag)
        if "data-shows" in attributes:
            self._end_value()
            self._value = _OpenValue(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._raw_text_of = ""
        if tag == "section":
            self._end_value()
            self._section = None
        if self._value is not None and self._value.tag == tag:
            self._value.depth -= 1
            if self._value.depth == 0:
                self._end_value()

    def handle_data(self, data: str) -> None:
        if self._raw_text_of == "facts":
            self.facts += data
        elif self._raw_text_of == "script":
            self.script += data
        elif self._raw_text_of == "style":
            self.style += data
        elif self._raw_text_of == "" and self._value is not None:
            self._value.texts.append(data)
        elif self._raw_text_of == "" and self._section and any(c.isdigit() for c in data):
            self._section.unnamed_numbers.append(" ".join(data.split()))

    def _end_value(self) -> None:
        if self._value is not None and self._section is not None:
            take_id, name, number = (
                self._value.attributes.get(f"data-{attribute}") or ""
                for attribute in ("take", "shows", "number")
            )
            text = "".join(self._value.texts)
            self._section.layout.append(PageValue(take_id, name, text, number))
            self._value = None


def compare_page(page: ReportPage, context: ReportContext) -> tuple[Count, bool, list[Mismatch]]:
    """Compare a page with one that is rendered again from its facts. context: made from the facts.

    Returns how many values were compared, whether the page's script and style are those of this
    i2v-lab, and the differences.
    """
    sections = [built for build in VERIFIED_SECTIONS if (built := build(context)) is not None]
    expected = ReportPage(render_page(sections))
    mismatches: list[Mismatch] = []
    for anchor in dict.fromkeys([*expected.sections, *page.sections]):
        expected_section = expected.sections.get(anchor)
        section = page.sections.get(anchor, PageSection())
        if expected_section is not None:
            mismatches += _compare_values(section, expected_section)
            mismatches += _find_unexpected(anchor, section, expected_section)
        elif section.values:
            mismatches += _compare_values(section, PageSection())
    count = sum(len(section.values) for section in expected.sections.values())
    script_matches = (page.script, page.style) == (expected.script, expected.style)
    return Count(count, count), script_matches, mismatches


def _compare_values(section: PageSection, expected: PageSection) -> Iterator[Mismatch]:
    """Differences in the named values, their order, and the structure of the tables."""
    if section.layout == expected.layout:
        return
    expected_values, values = _by_name(expected.values), _by_name(section.values)
    keys = dict.fromkeys([*expected_values, *values])
    different = [key for key in keys if expected_values[key] != values[key]]
    for key in different:
        take_id, name = key
        shown, correct = values[key], expected_values[key]
        if [value.text for value in shown] == [value.text for value in correct]:
            name = f"{name}, the number it sorts by"
            yield Mismatch(take_id, name, shown[0].sort_number, correct[0].sort_number)
        else:
            yield Mismatch(take_id, name, _joined_texts(shown), _joined_texts(correct))
    if not different:
        yield Mismatch(
            "",
            "order of the values or structure of the tables",
            "a different one",
            "the one that the facts give",
        )


def _by_name(values: Sequence[PageValue]) -> dict[tuple[str, str], list[PageValue]]:
    named: dict[tuple[str, str], list[PageValue]] = defaultdict(list)
    for value in values:
        named[value.take_id, value.name].append(value)
    return named


def _joined_texts(values: Sequence[PageValue]) -> str:
    return " and ".join(value.text for value in values) or "nothing"


def _find_unexpected(
    anchor: str, section: PageSection, expected: PageSection
) -> Iterator[Mismatch]:
    """Numbers without a name, and markup that could hide or add a number."""
    for text in section.unnamed_numbers:
        if text not in expected.unnamed_numbers:
            yield Mismatch("", f"a number under #{anchor} that is in no fact", text, "none")
    for markup in section.unexpected_markup:
        yield Mismatch("", f"markup under #{anchor}", markup, "none")
