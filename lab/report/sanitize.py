"""Removes every element and attribute from untrusted HTML that is not on an allow-list."""

import re
import tomllib
from importlib.resources import files

import nh3

from lab.report.page_check import style_addresses

_ALLOWED = tomllib.loads((files("lab.report") / "allowed.toml").read_text(encoding="utf-8"))
_SVG = set(_ALLOWED["svg"].split())
_FRAME_START = '<!DOCTYPE html>\n<html lang="en"><head><title>Output</title></head><body>'
_FRAME_END = "</body></html>"


def sanitize(markup: str) -> str:
    """A fragment of HTML without scripts, handlers, forms and anything else that is not listed.

    Tables, SVG, styles and frames with inline content stay. Every element is closed. Text stays,
    except inside elements that are never displayed. The caller checks the addresses of pictures
    and videos. Sanitizing the result again does not change it.
    """
    return _SANITIZER.clean(markup)


def is_embedded(address: str) -> bool:
    """True for an address inside this page, and for a data: URI of a picture or a font."""
    return address.startswith(("#", "data:image/", "data:font/"))


def is_self_contained(style: str) -> bool:
    """True for a style sheet or attribute that loads nothing from outside the page."""
    return all(map(is_embedded, style_addresses(style)))


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    """The harmless value of an attribute; None removes the attribute."""
    if name == "href" and tag == "a":
        scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", value, re.IGNORECASE)
        allowed = scheme is None or scheme[1].lower() in ("http", "https", "mailto")
        return value if allowed and not re.match(r"\s*[/\\]{2}", value) else None
    if name in ("href", "poster"):
        return value if is_embedded(value) else None
    if name == "srcdoc":
        return f"{_FRAME_START}{_FRAME_SANITIZER.clean(value).strip()}{_FRAME_END}"
    if name == "style" or tag in _SVG:
        return value if is_self_contained(value) else None
    return value


def _make_sanitizer(tags: set[str]) -> nh3.Cleaner:
    attributes = {tag: set(names.split()) for tag, names in _ALLOWED["attributes"].items()}
    return nh3.Cleaner(
        tags=tags,
        clean_content_tags=set(_ALLOWED["removed_with_content"].split()),
        attributes={**{tag: attributes["svg"] for tag in _SVG}, **attributes},
        generic_attribute_prefixes={"aria-"},
        attribute_filter=_filter_attribute,
        set_tag_attribute_values={"iframe": {"sandbox": ""}},
        url_schemes={"http", "https", "mailto", "data"},
    )


_SANITIZER = _make_sanitizer(set(_ALLOWED["html"].split()) | _SVG)
# A frame may not contain another frame, because nothing would limit the depth.
_FRAME_SANITIZER = _make_sanitizer(set(_ALLOWED["html"].split()) - {"iframe"} | _SVG)
