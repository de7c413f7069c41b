"""Markup that somebody else wrote, with only what is harmless left in it."""

import re
import tomllib
from importlib.resources import files

import nh3

from lab.report.gate import style_addresses

_ALLOWED = tomllib.loads((files("lab.report") / "allowed.toml").read_text(encoding="utf-8"))
_SVG = set(_ALLOWED["svg"].split())
_FRAME_BEGINS = '<!DOCTYPE html>\n<html lang="en"><head><title>Output</title></head><body>'
_FRAME_ENDS = "</body></html>"


def clean(markup: str) -> str:
    """A fragment of HTML without scripts, handlers, forms and anything else that is not listed.

    Tables, SVG, styles and frames with their content in them stay; every element is closed; text
    is kept, save inside what is never shown. Addresses of pictures and films are left for the
    caller to judge. Cleaning twice changes nothing more.
    """
    return _CLEANER.clean(markup)


def is_embedded(address: str) -> bool:
    """The address is a part of this page, or its content is in the address itself."""
    return address.startswith(("#", "data:image/", "data:font/"))


def is_self_contained(style: str) -> bool:
    """A style sheet or attribute that needs nothing from outside."""
    return all(map(is_embedded, style_addresses(style)))


def _kept(tag: str, name: str, value: str) -> str | None:
    """An attribute's value as it may stand in the page; None removes the attribute."""
    if name == "href" and tag == "a":
        scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", value, re.IGNORECASE)
        known = scheme is None or scheme[1].lower() in ("http", "https", "mailto")
        return value if known and not re.match(r"\s*[/\\]{2}", value) else None
    if name in ("href", "poster"):
        return value if is_embedded(value) else None
    if name == "srcdoc":
        return f"{_FRAME_BEGINS}{_FRAMED.clean(value).strip()}{_FRAME_ENDS}"
    if name == "style" or tag in _SVG:
        return value if is_self_contained(value) else None
    return value


def _cleaner(tags: set[str]) -> nh3.Cleaner:
    listed = {tag: set(names.split()) for tag, names in _ALLOWED["attributes"].items()}
    return nh3.Cleaner(
        tags=tags,
        clean_content_tags=set(_ALLOWED["emptied"].split()),
        attributes={**{tag: listed["svg"] for tag in _SVG}, **listed},
        generic_attribute_prefixes={"aria-"},
        attribute_filter=_kept,
        set_tag_attribute_values={"iframe": {"sandbox": ""}},
        url_schemes={"http", "https", "mailto", "data"},
    )


_CLEANER = _cleaner(set(_ALLOWED["html"].split()) | _SVG)
# No frames within frames: how deep they go would be up to whoever wrote them.
_FRAMED = _cleaner(set(_ALLOWED["html"].split()) - {"iframe"} | _SVG)
