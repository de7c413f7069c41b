"""Checks that a finished HTML page contains no secret and loads nothing when it is opened."""

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

_MIN_SECRET_LENGTH = 8
_SECRET_VARIABLE = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_COMMON_WORDS = re.compile(
    r"anonymous|automatic|changeme|default|development|disabled|external|internal"
    r"|localhost|optional|password|production|required|standard|undefined|username"
)

_KEY_PATTERNS = {
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    # The digit distinguishes a key from a class name such as sk-toggleable__content.
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
_TEXT_TYPES = r"(?:text/[\w.+-]+|image/svg\+xml|application/(?:json|javascript|(?:xhtml\+)?xml))"
_EMBEDDED_TEXT = re.compile(rf"data:{_TEXT_TYPES}(?:;[\w=.-]+)*;base64,([\w+/=-]+)")
# The base64 of a video contains every short pattern by chance, so it is not searched. Base64 next
# to a dot may be part of a JSON Web Token, so it is searched.
_BINARY_BASE64 = re.compile(
    r"data:[\w.+/-]*(?:;[\w=.-]+)*;base64,[\w+/=-]*+"
    r"|(?<![\w.-])[A-Za-z0-9+/]{200,}+={0,2}(?![\w.-])"
    r"|(?:(?<![\w.-])[A-Za-z0-9+/]{60,76}+\r?\n){3,}+[A-Za-z0-9+/]*+={0,2}"
)

_LOCAL_SCHEMES = ("data", "blob", "about")
_LOADING_ATTRIBUTES = re.compile(
    r"src|srcset|imagesrcset|poster|data|background|action|formaction|ping|manifest"
    r"|codebase|classid|lowsrc|dynsrc|href|xlink:href"
)
_FRAME_TAGS = ("iframe", "frame", "object", "embed", "portal", "fencedframe")
_STYLE_ATTRIBUTES = re.compile(
    r"style|fill|stroke|filter|mask|clip-path|cursor|marker|marker-start|marker-mid"
    r"|marker-end|mask-image|background"
)
_ANIMATION_ATTRIBUTES = ("from", "to", "by", "values")
_MAX_DEPTH = 5
_IMPORT_ADDRESS = "import:"  # stands for the target of an @import, whose address is not parsed


def check_page(page: str, *, allow_links: bool = False) -> None:
    """Refuse a finished HTML page that contains a secret or loads something when it is opened.

    Searches for three things. First, known secrets: those of every backend and the values of
    environment variables with a name like API_KEY, also escaped and in base64. Second, text that
    looks like a key. Third, addresses that are neither relative nor inside the page; with
    allow_links, links to other sites are accepted. Raises InputError with one line that names the
    problem and its line, but never the secret.
    """
    _refuse_known_secrets(page)
    _refuse_key_patterns(page)
    _AddressChecker(allow_links).read(page)


def _refuse_known_secrets(page: str) -> None:
    for value, name in _known_secrets().items():
        for form in _encodings(value):
            position = page.find(form)
            if position >= 0:
                raise InputError(
                    f"the page would contain the value of {name} ({_line(page, position)}); "
                    "remove it from what is shown"
                )


def _known_secrets() -> dict[str, str]:
    """Every secret of this process, with the name of its variable or setting."""
    secrets = {
        value: name
        for name, value in os.environ.items()
        if _SECRET_VARIABLE.search(name) and not _is_ordinary(value.strip())
    }
    for backend in BACKENDS.values():
        secrets |= {secret.text: secret.setting for secret in backend.secrets()}
    # An environment variable may contain bytes that are not UTF-8; a page cannot.
    encodable = {
        value.encode(errors="ignore").decode().strip(): name for value, name in secrets.items()
    }
    return {value: name for value, name in encodable.items() if len(value) >= _MIN_SECRET_LENGTH}


def _is_ordinary(value: str) -> bool:
    """True for a word, a number or a path, which a page may contain by chance."""
    if _COMMON_WORDS.fullmatch(value.lower()) or re.fullmatch(r"[\d.,:+-]*", value):
        return True
    path = os.path.expanduser(value)
    parent = os.path.dirname(path)
    return os.path.exists(path) or (len(parent) > 1 and os.path.isdir(parent))


def _encodings(value: str) -> set[str]:
    """A secret as it looks in HTML, JSON, an address or base64."""
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
    base64_forms = {form for text in texts for form in _in_base64(text.encode())}
    url_safe = {form.translate(str.maketrans("+/", "-_")) for form in base64_forms}
    return texts | base64_forms | url_safe


def _in_base64(data: bytes) -> Iterator[str]:
    """The base64 of `data` inside a longer text, for each of the three possible alignments."""
    # The first characters also depend on the bytes before `data`, so they are left out.
    for shift, skipped in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b"\0" * shift + data).decode("ascii")
        yield encoded[skipped : (shift + len(data)) * 8 // 6]


def _refuse_key_patterns(page: str, line: str = "") -> None:
    for embedded in _EMBEDDED_TEXT.finditer(page):
        encoded = embedded[1].translate(str.maketrans("-_", "+/")).rstrip("=")
        try:
            text = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode(errors="replace")
        except binascii.Error:
            continue
        _refuse_key_patterns(text, line or _line(page, embedded.start()))
    searched = _BINARY_BASE64.sub(lambda match: "\n" * match.group().count("\n"), page)
    for kind, pattern in _KEY_PATTERNS.items():
        match = pattern.search(searched)
        if match:
            raise InputError(
                f"the page would contain what looks like {kind} "
                f"({line or _line(searched, match.start())}); remove it from what is shown"
            )


def _line(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"


class _AddressChecker(HTMLParser):
    """Parses a page as a browser does and refuses forbidden addresses.

    Where a browser may parse something differently from Python's parser, both ways are checked.
    line: the line of the page at which the markup starts. depth: how deep it is nested.
    """

    def __init__(self, links: bool, line: int = 1, depth: int = 0) -> None:
        super().__init__()
        self._links = links
        self._line = line
        self._depth = depth
        self._raw_tag = ""
        self._raw_text: list[str] = []

    def read(self, markup: str) -> None:
        """Raises InputError at the first forbidden address."""
        try:
            self.feed(markup)
            self.close()
        except AssertionError as error:  # the parser raises it for a broken declaration
            raise InputError("the page cannot be read as HTML: a broken declaration") from error
        # If a script has no end tag, Python's parser never reports its text; it stays in `rawdata`.
        self._raw_text.append(self.rawdata)
        self._check_raw_text()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check_raw_text()
        if tag in ("script", "style"):
            self._raw_tag = tag
        for name, value in attrs:
            if value:
                self._check_attribute(tag, name, value)
        attributes = {name: value or "" for name, value in attrs}
        if tag == "meta" and attributes.get("http-equiv", "").strip().lower() == "refresh":
            target = re.sub(
                r"(?i)^[^;,]*[;,]?\s*(?:url\s*=)?[\s\"']*", "", attributes.get("content", "")
            )
            self._check_loaded("<meta refresh>", target)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._check_raw_text()

    def handle_data(self, data: str) -> None:
        if self._raw_tag:
            self._raw_text.append(data)

    def handle_comment(self, data: str) -> None:
        self._check_nested(data)

    def handle_decl(self, decl: str) -> None:
        self._check_nested(decl)

    def handle_pi(self, data: str) -> None:
        self._check_nested(data)

    def unknown_decl(self, data: str) -> None:
        self._check_nested(data)

    def _check_raw_text(self) -> None:
        """Check the content of a script or style. Inside SVG, a browser reads it as markup."""
        text, tag = "".join(self._raw_text), self._raw_tag
        self._raw_text, self._raw_tag = [], ""
        if tag == "style":
            self._check_style("<style>", text)
        self._check_nested(text)

    def _check_nested(self, markup: str) -> None:
        if "<" not in markup:
            return
        if self._depth == _MAX_DEPTH:
            raise InputError(
                f"the page nests markup more than {_MAX_DEPTH} levels deep ({self._line_text})"
            )
        line = self._line + self.getpos()[0] - 1
        _AddressChecker(self._links, line, self._depth + 1).read(markup)

    def _check_attribute(self, tag: str, name: str, value: str) -> None:
        subject = f"<{tag} {name}>"
        if name == "srcdoc":
            self._check_nested(value)
        elif name in ("href", "xlink:href") and tag in ("a", "area"):
            self._check_link(subject, value)
        elif name in ("srcset", "imagesrcset"):
            for part in value.split():
                self._check_loaded(subject, part.strip(","))
        elif _LOADING_ATTRIBUTES.fullmatch(name):
            self._check_loaded(subject, value, framed=tag in _FRAME_TAGS)
        elif name in _ANIMATION_ATTRIBUTES and (tag == "set" or tag.startswith("animate")):
            for part in value.split(";"):
                self._check_loaded(subject, part)
        if _STYLE_ATTRIBUTES.fullmatch(name):
            self._check_style(subject, value)

    def _check_link(self, subject: str, address: str) -> None:
        scheme, is_external = _scheme(address)
        allowed = ("mailto", "tel", "http", "https") if self._links else ("mailto", "tel")
        if is_external and scheme not in allowed:
            raise InputError(
                f"the page would link to {_safe_text(address)} ({subject}, {self._line_text})"
            )

    def _check_loaded(self, subject: str, address: str, *, framed: bool = False) -> None:
        scheme, is_external = _scheme(address)
        if is_external or (framed and scheme == "data"):
            raise InputError(
                f"the page would fetch {_safe_text(address)} ({subject}, {self._line_text}); "
                "embed it, or leave it out"
            )

    def _check_style(self, subject: str, style: str) -> None:
        for address in style_addresses(style):
            self._check_loaded(subject, address)

    @property
    def _line_text(self) -> str:
        return f"line {self._line + self.getpos()[0] - 1}"


def style_addresses(style: str) -> Iterator[str]:
    """Every address that a style sheet or a style attribute may load."""
    plain = re.sub(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", _unescape, style, flags=re.DOTALL)
    for match in re.finditer(r"(?:url|src)\(\s*[\"']?([^\"')]*)", plain, re.IGNORECASE):
        yield match[1]
    for match in re.finditer(r"[\"']\s*((?:https?|wss?|ftps?|file):[^\"']*|//[^\"']+)", plain):
        yield match[1]
    if "@import" in plain.lower():
        yield _IMPORT_ADDRESS


def _unescape(match: re.Match[str]) -> str:
    """The character of a CSS escape."""
    if match[1] is None:
        return match[2]
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0x110000 else "\ufffd"


def _scheme(address: str) -> tuple[str, bool]:
    """The scheme of an address, or "", and whether it is external.

    An external address is neither relative nor inside the page.

    Browsers ignore whitespace and control characters before an address and line breaks in it, and
    read a backslash as a slash.
    """
    plain = re.sub(r"[\x00-\x20]+", "", address).replace("\\", "/").lower()
    match = re.match(r"([a-z][a-z0-9+.-]*):", plain)
    scheme = match[1] if match else ""
    return scheme, plain.startswith("//") or (bool(scheme) and scheme not in _LOCAL_SCHEMES)


def _safe_text(address: str) -> str:
    """An address without its path and query, which may be secret."""
    scheme, _ = _scheme(address)
    if scheme in ("data", "javascript", "vbscript", "file", "import"):
        return {"import": "another style sheet"}.get(scheme, f"a {scheme}: address")
    try:
        host = urlsplit(re.sub(r"[\x00-\x20]+", "", address).replace("\\", "/")).hostname
    except ValueError:
        host = None
    return f"{scheme + ':' if scheme else ''}//{host or '...'}"
