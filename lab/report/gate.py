"""The last look at a finished page: no secret leaves in it, and opening it fetches nothing."""

import base64
import binascii
import html
import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote, quote_plus, urlsplit

from lab.backends import BACKENDS
from lab.errors import InputError

_SHORTEST_SECRET = 8
_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_COMMON_VALUES = re.compile(
    r"anonymous|automatic|changeme|default|development|disabled|external|internal"
    r"|localhost|optional|password|production|required|standard|undefined|username"
)

_KEY_SHAPES = {
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    # A digit tells a key from a class name such as sk-toggleable__content.
    "an API key (sk-…)": re.compile(r"(?<![\w-])sk-(?=[\w-]*\d)[\w-]{20,}"),
    "an API key (api-key-…)": re.compile(r"api-key-(?=[\w-]*\d)[\w-]{12,}"),
    "a webhook secret (whsec_…)": re.compile(r"whsec_[\w+/=-]{16,}"),
    "an AWS access key": re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a Bearer token": re.compile(
        r"\bbearer(?:\s|%20|\+)+(?=[\w.~+/=-]*\d)[\w.~+/=-]{16,}", re.IGNORECASE
    ),
    "a signed address": re.compile(
        r"(?:[?&]|&amp;|&#38;|&#x26;|%3F|%26|\\u0026)"
        r"(?:X-Amz-(?:Signature|Credential|Security-Token)|X-Goog-(?:Signature|Credential)"
        r"|(?:AWS|OSS)?AccessKeyId|access[_-]?key|access[_-]?token|api[_-]?key|auth[_-]?key"
        r"|token|secret|signature|sig|password)"
        r"(?:=|%3D)[^\s\"'<>&;]{8,}",
        re.IGNORECASE,
    ),
}
_TEXT_KINDS = r"(?:text/[\w.+-]+|image/svg\+xml|application/(?:json|javascript|(?:xhtml\+)?xml))"
_EMBEDDED_TEXT = re.compile(rf"data:{_TEXT_KINDS}(?:;[\w=.-]+)*;base64,([\w+/=-]+)")
# A film has every short pattern in it somewhere. A dot after a run means a token, not a film.
_PAYLOAD = re.compile(
    r"data:[\w.+/-]*(?:;[\w=.-]+)*;base64,[\w+/=-]*+"
    r"|(?<![\w.-])[A-Za-z0-9+/]{200,}+={0,2}(?![\w.-])"
    r"|(?:(?<![\w.-])[A-Za-z0-9+/]{60,76}+\r?\n){3,}+[A-Za-z0-9+/]*+={0,2}"
)

_NOT_FETCHED = ("data", "blob", "about")
_FETCHING = re.compile(
    r"src|srcset|imagesrcset|poster|data|background|action|formaction|ping|manifest"
    r"|codebase|classid|lowsrc|dynsrc|href|xlink:href"
)
_FRAMES = ("iframe", "frame", "object", "embed", "portal", "fencedframe")
_PAINTED = re.compile(
    r"style|fill|stroke|filter|mask|clip-path|cursor|marker|marker-start|marker-mid"
    r"|marker-end|mask-image|background"
)
_ANIMATED = ("from", "to", "by", "values")
_MOST_NESTED = 5


def check(page: str, *, links: bool = False) -> None:
    """Refuse a finished HTML page that holds a secret or would fetch something when opened.

    links: a reader may be led to other sites by a click. Looks for the secrets of every registered
    backend and the values of environment variables that are named like secrets, plain, escaped and
    in base64; for text in the shape of a key; and for addresses that lead off this page other than
    relative ones. Raises InputError in one line that names what and where, never the secret itself.
    """
    _refuse_known_secrets(page)
    _refuse_key_shapes(page)
    _Addresses(links).read(page)


def _refuse_known_secrets(page: str) -> None:
    for value, name in _known_secrets().items():
        for form in _forms(value):
            place = page.find(form)
            if place >= 0:
                raise InputError(
                    f"the page would hold the value of {name} ({_line(page, place)}); take it "
                    "out of what is shown"
                )


def _known_secrets() -> dict[str, str]:
    """Every secret this process knows, and the variable or setting that holds it."""
    known = {
        value: name
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and not _is_ordinary(value.strip())
    }
    for backend in BACKENDS.values():
        known |= {secret.text: secret.setting for secret in backend.secrets()}
    # What cannot be encoded, an environment may hold but no page.
    plain = {value.encode(errors="ignore").decode().strip(): name for value, name in known.items()}
    return {value: name for value, name in plain.items() if len(value) >= _SHORTEST_SECRET}


def _is_ordinary(value: str) -> bool:
    """A word, a number or a path, which a page may well hold by chance."""
    if _COMMON_VALUES.fullmatch(value.lower()) or re.fullmatch(r"[\d.,:+-]*", value):
        return True
    path = os.path.expanduser(value)
    above = os.path.dirname(path)
    return os.path.exists(path) or (len(above) > 1 and os.path.isdir(above))


def _forms(value: str) -> set[str]:
    """A secret as HTML, JSON, an address or base64 would hold it."""
    quoted = quote(value, safe="")
    texts = {
        *(value, quote(value), quote_plus(value), quoted),
        re.sub("%..", lambda code: code.group().lower(), quoted),
        *(json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)),
    }
    for text in list(texts):
        escaped = html.escape(text)
        texts |= {escaped, html.escape(text, quote=False)}
        texts.add(escaped.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    coded = {form for text in texts for form in _in_base64(text.encode())}
    return texts | coded | {form.translate(str.maketrans("+/", "-_")) for form in coded}


def _in_base64(data: bytes) -> Iterator[str]:
    """The letters that stand for `data` wherever in a longer text it begins."""
    for shift, unsure in enumerate((0, 2, 3)):
        coded = base64.b64encode(b"\0" * shift + data).decode("ascii")
        yield coded[unsure : (shift + len(data)) * 8 // 6]


def _refuse_key_shapes(page: str, line: str = "") -> None:
    for embedded in _EMBEDDED_TEXT.finditer(page):
        coded = embedded[1].translate(str.maketrans("-_", "+/")).rstrip("=")
        try:
            text = base64.b64decode(coded + "=" * (-len(coded) % 4)).decode(errors="replace")
        except binascii.Error:
            continue
        _refuse_key_shapes(text, line or _line(page, embedded.start()))
    bare = _PAYLOAD.sub(lambda payload: "\n" * payload.group().count("\n"), page)
    for kind, shape in _KEY_SHAPES.items():
        found = shape.search(bare)
        if found:
            raise InputError(
                f"the page would hold what looks like {kind} "
                f"({line or _line(bare, found.start())}); take it out of what is shown"
            )


def _line(text: str, place: int) -> str:
    return f"line {text.count(chr(10), 0, place) + 1}"


class _Addresses(HTMLParser):
    """Reads a page as a browser does; where the two might disagree, looks at both readings."""

    def __init__(self, links: bool, line: int = 1, depth: int = 0) -> None:
        super().__init__()
        self._links = links
        self._line = line
        self._depth = depth
        self._inside = ""
        self._raw: list[str] = []

    def read(self, markup: str) -> None:
        """Raises InputError at the first address that may not be there."""
        try:
            self.feed(markup)
            self.close()
        except AssertionError as error:  # how the parser gives up on a declaration
            raise InputError("the page cannot be read as HTML: a broken declaration") from error
        # Python's parser says nothing of what follows a script that it saw no end of.
        self._raw.append(self.rawdata)
        self._end_raw()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_raw()
        if tag in ("script", "style"):
            self._inside = tag
        for name, value in attrs:
            if value:
                self._attribute(tag, name, value)
        meant = {name: value or "" for name, value in attrs}
        if tag == "meta" and meant.get("http-equiv", "").strip().lower() == "refresh":
            target = re.sub(
                r"(?i)^[^;,]*[;,]?\s*(?:url\s*=)?[\s\"']*", "", meant.get("content", "")
            )
            self._fetched("<meta refresh>", target)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._end_raw()

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._raw.append(data)

    def handle_comment(self, data: str) -> None:
        self._nested(data)

    def handle_decl(self, decl: str) -> None:
        self._nested(decl)

    def handle_pi(self, data: str) -> None:
        self._nested(data)

    def unknown_decl(self, data: str) -> None:
        self._nested(data)

    def _end_raw(self) -> None:
        """What stands in a script or a style; inside SVG a browser reads it as markup."""
        text, inside = "".join(self._raw), self._inside
        self._raw, self._inside = [], ""
        if inside == "style":
            self._styled("<style>", text)
        self._nested(text)

    def _nested(self, markup: str) -> None:
        if "<" not in markup:
            return
        if self._depth == _MOST_NESTED:
            raise InputError(f"the page holds pages within pages within pages ({self._place})")
        _Addresses(self._links, self._line + self.getpos()[0] - 1, self._depth + 1).read(markup)

    def _attribute(self, tag: str, name: str, value: str) -> None:
        where = f"<{tag} {name}>"
        if name == "srcdoc":
            self._nested(value)
        elif name in ("href", "xlink:href") and tag in ("a", "area"):
            self._linked(where, value)
        elif name in ("srcset", "imagesrcset"):
            for part in value.split():
                self._fetched(where, part.strip(","))
        elif _FETCHING.fullmatch(name):
            self._fetched(where, value, framed=tag in _FRAMES)
        elif name in _ANIMATED and (tag == "set" or tag.startswith("animate")):
            for part in value.split(";"):
                self._fetched(where, part)
        if _PAINTED.fullmatch(name):
            self._styled(where, value)

    def _linked(self, where: str, address: str) -> None:
        scheme, leads_off = _scheme(address)
        allowed = ("mailto", "tel", "http", "https") if self._links else ("mailto", "tel")
        if leads_off and scheme not in allowed:
            raise InputError(f"the page would link to {_named(address)} ({where}, {self._place})")

    def _fetched(self, where: str, address: str, *, framed: bool = False) -> None:
        scheme, leads_off = _scheme(address)
        if leads_off or (framed and scheme == "data"):
            raise InputError(
                f"the page would fetch {_named(address)} ({where}, {self._place}); embed it, or "
                "leave it out"
            )

    def _styled(self, where: str, style: str) -> None:
        for address in style_addresses(style):
            self._fetched(where, address)

    @property
    def _place(self) -> str:
        return f"line {self._line + self.getpos()[0] - 1}"


def style_addresses(style: str) -> Iterator[str]:
    """Every address that a style sheet, or a style attribute, may fetch."""
    plain = re.sub(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", _unescaped, style, flags=re.DOTALL)
    for found in re.finditer(r"(?:url|src)\(\s*[\"']?([^\"')]*)", plain, re.IGNORECASE):
        yield found[1]
    for found in re.finditer(r"[\"']\s*((?:https?|wss?|ftps?|file):[^\"']*|//[^\"']+)", plain):
        yield found[1]
    if "@import" in plain.lower():
        yield "import:"


def _unescaped(code: re.Match[str]) -> str:
    if code[1] is None:
        return code[2]
    number = int(code[1], 16)
    return chr(number) if 0 < number < 0x110000 else "\ufffd"


def _scheme(address: str) -> tuple[str, bool]:
    """An address's scheme, "" for none, and whether following it leads off the page's own folder.

    Browsers ignore blanks and control characters in front and line breaks anywhere, and take a
    backslash for a slash.
    """
    plain = re.sub(r"[\x00-\x20]+", "", address).replace("\\", "/").lower()
    found = re.match(r"([a-z][a-z0-9+.-]*):", plain)
    scheme = found[1] if found else ""
    return scheme, plain.startswith("//") or (bool(scheme) and scheme not in _NOT_FETCHED)


def _named(address: str) -> str:
    """An address without what may be secret in it."""
    scheme, _ = _scheme(address)
    if scheme in ("data", "javascript", "vbscript", "file", "import"):
        return {"import": "another style sheet"}.get(scheme, f"a {scheme}: address")
    try:
        host = urlsplit(re.sub(r"[\x00-\x20]+", "", address).replace("\\", "/")).hostname
    except ValueError:
        host = None
    return f"{scheme + ':' if scheme else ''}//{host or '...'}"
