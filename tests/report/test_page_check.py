"""The check of a page refuses secrets and external addresses and lets all other pages pass."""

import base64
import hashlib
import html
import json
import random
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.errors import InputError
from lab.report.page_check import check_page

SECRET = "s3cr3t/+<&>\"'ä-000000000000"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhYmNkZWYifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


def refused(page: str, *, links: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        check_page(page, allow_links=links)
    message = str(caught.value)
    assert "\n" not in message
    return message


ENCODINGS = {
    "plain": lambda text: text,
    "HTML": html.escape,
    "HTML, as templates escape": lambda text: (
        html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    ),
    "HTML text": lambda text: html.escape(text, quote=False),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in HTML": lambda text: html.escape(json.dumps(text)[1:-1]),
    "address": lambda text: quote(text, safe=""),
    "address in small letters": lambda text: re.sub(
        "%..", lambda code: code[0].lower(), quote(text, safe="")
    ),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, one letter later": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "base64, two letters later": lambda text: base64.b64encode(b"xy" + text.encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "a drawing": lambda text: base64.b64encode(f"<svg>{html.escape(text)}</svg>".encode()).decode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_known_secret_is_found_in_any_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable and the line, but not the value."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    message = refused(f"<p>\n{ENCODINGS[encoding](SECRET)}</p>")
    assert "MY_SERVICE_TOKEN" in message
    assert "line 2" in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(
    "name", ["KLING_API_KEY", "KLINGAI_SECRET_KEY", "DB_PASSWORD", "aws_credential_x"]
)
def test_variables_named_like_secrets_are_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a variable with such a name is a secret. Values of other variables are not."""
    monkeypatch.setenv(name, "zq81-zq82-zq83")
    refused("<p>zq81-zq82-zq83</p>")
    monkeypatch.delenv(name)
    monkeypatch.setenv("COLOUR", "zq81-zq82-zq83")
    check_page("<p>zq81-zq82-zq83</p>")


def test_keys_in_the_settings_file_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of every backend are known, also where its settings file is broken or missing."""
    file = tmp_path / "kling.toml"
    file.write_text("api_key = 'zq81-zq82-zq83'\n")
    file.chmod(0o600)
    monkeypatch.setenv("KLING_SETTINGS", str(file))
    assert "KLING_API_KEY" in refused("<p>zq81-zq82-zq83</p>")
    file.write_text("region = \napi_key = 'zq81-zq82-zq83'\n")
    assert "KLING_API_KEY" in refused("<p>zq81-zq82-zq83</p>")
    check_page("<p>harmless</p>")
    file.unlink()
    check_page("<p>zq81-zq82-zq83</p>")


@pytest.mark.parametrize("value", ["password", "Disabled", "12345678", "short", "2026-11-23", ""])
def test_ordinary_values_are_no_secrets(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word, a number or a short value is not refused."""
    monkeypatch.setenv("KEYBOARD_TOKEN", value)
    check_page(f"<p>The {value} is shown.</p>")


def test_a_path_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a credentials file is not refused."""
    monkeypatch.setenv("CLOUD_CREDENTIALS", str(tmp_path / "credentials.json"))
    check_page(f"<p>{tmp_path / 'credentials.json'}</p>")


KEYS = {
    "JSON Web Token": JWT,
    "sk-": "sk-proj-4Zr8aLq0Jx2Wm5Vt7Yb1Nc3K",
    "api-key-": "api-key-kling-a1b2c3d4e5f6",
    "whsec_": "whsec_czNjcjN0LXdlYmhvb2stMDAwMA==",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "Bearer": "Authorization: Bearer abcdef0123456789abcdef",
    "signed address": "x.mp4?expires=1&amp;Signature=0a1b2c3d4e5f",
}


@pytest.mark.parametrize("kind", KEYS)
def test_text_that_looks_like_a_key_is_refused(kind: str) -> None:
    """An unknown key is recognised by its pattern. The message does not repeat it."""
    message = refused(f"<pre>\n\n{KEYS[kind]}\n</pre>")
    assert kind in message
    assert "line 3" in message
    assert KEYS[kind][-8:] not in message


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_in_an_embedded_drawing_is_refused(kind: str) -> None:
    """Text in base64 is searched too."""
    code = base64.b64encode(f"<svg><text>{KEYS[kind]}</text></svg>".encode()).decode()
    assert kind in refused(f"<img src='data:image/svg+xml;base64,{code}'>")


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=0123456789abcdef",
        "access_key=0123456789",
        "token=0123456789",
        "OSSAccessKeyId=LTAI0123456789",
    ],
)
def test_signed_addresses_are_refused(query: str) -> None:
    """A signed address gives access to a clip, so it is refused like a key."""
    for join in ("?", "?a=b&amp;", "?a=b&", "%3F", "?a=b\\u0026"):
        assert "signed" in refused(f"<p>cdn/x.mp4{join}{query}</p>")


def test_a_long_token_is_found() -> None:
    """A token is found even if its middle part is as long as the base64 of a video."""
    middle = base64.urlsafe_b64encode(json.dumps({"name": "x" * 900}).encode()).decode().rstrip("=")
    assert "JSON Web Token" in refused(f"<p>eyJhbGciOiJIUzI1NiJ9.{middle}.c2lnbmF0dXJl</p>")


@pytest.mark.parametrize("seed", range(3))
def test_videos_are_allowed(seed: int) -> None:
    """Random base64 is not refused, in an address, by itself or with line breaks."""
    code = base64.b64encode(random.Random(seed).randbytes(3_000_000)).decode()
    planted = code[:500_000] + "AKIAIOSFODNN7EXAMPLE" + code[500_020:]
    lines = "\n".join(planted[start : start + 76] for start in range(0, len(planted), 76))
    check_page(
        f'<video src="data:video/mp4;base64,{planted}"></video>'
        f'<script type="text/plain">{planted}</script><pre>{lines}</pre>'
    )


def test_hashes_are_allowed() -> None:
    """Hashes, ids and class names that start like keys are not refused."""
    digest = hashlib.sha256(b"x").hexdigest()
    check_page(
        f"<p>SHA-256 {digest}, commit {digest[:40]}, task-{digest[:24]}, sha256-{digest}</p>"
        '<div class="sk-toggleable__label-arrow sk-estimator-id-1 api-key-settings-panel"></div>'
        "<p>Bearer of good news, token = 5, signature=None; a?b=c&amp;token=1</p>"
        "<pre>a;signature=inspect.signature(run)</pre>"
    )


ALLOWED = [
    '<img src="data:image/png;base64,AAAA" alt="javascript: is a word here">',
    '<img srcset="data:image/png;base64,//79 1x, data:image/png;base64,//78 2x">',
    '<video src="clips/a.mp4" poster="data:image/jpeg;base64,AAAA"></video>',
    '<a href="#top">up</a><a href="clips/a.mp4">beside</a><a href="mailto:a@example.org">m</a>',
    '<svg xmlns="http://www.w3.org/2000/svg"><use href="#a"/><rect fill="url(#g)"/></svg>',
    "<style>p { background: url(data:image/png;base64,AAAA) } q { content: 'a: b' }</style>",
    '<iframe srcdoc="&lt;p&gt;text&lt;/p&gt;"></iframe><iframe src="about:blank"></iframe>',
    "<script>if (a < b) { go('http://www.w3.org/2000/svg'); }</script>",
    "<p>see https://example.org/page and javascript:alert(1)</p>",
    "<encoding></encoding><meta name='x' content='0;url=https://example.org'>",
]


@pytest.mark.parametrize("markup", ALLOWED)
def test_local_addresses_are_allowed(markup: str) -> None:
    """Embedded, relative and merely quoted addresses are allowed."""
    check_page(f"<!DOCTYPE html><html><body>{markup}</body></html>")


EXTERNAL = [
    '<img src="https://x.example/a.png">',
    "<IMG SRC=http://x.example/a.png>",
    '<img src="//x.example/a.png">',
    '<img src="\\\\x.example\\a.png">',
    '<img src=" \thtt\nps://x.example/a.png">',
    '<img src="&#104;ttps://x.example/a.png">',
    '<img src="file:///etc/passwd">',
    '<img src="ftp://x.example/a.png">',
    '<img src="a.png" srcset="a.png 1x, https://x.example/b.png 2x">',
    '<video poster="https://x.example/a.png"></video>',
    '<object data="https://x.example/a"></object>',
    '<body background="https://x.example/a.png">',
    '<link rel="stylesheet" href="https://x.example/a.css">',
    '<script src="https://x.example/a.js"></script>',
    '<iframe src="https://x.example/"></iframe>',
    '<iframe src="data:text/html,hello"></iframe>',
    '<svg><image xlink:href="https://x.example/a.png"/></svg>',
    '<svg><use href="https://x.example/a.svg#b"/></svg>',
    '<svg><rect fill="url(https://x.example/a.svg#b)"/></svg>',
    '<svg><image><set attributeName="href" to="https://x.example/a.png"/></image></svg>',
    '<svg><style>&lt;</style></svg><svg><style><img src="https://x.example/a.png"></style></svg>',
    "<style>@import 'https://x.example/a.css';</style>",
    "<style>p { background: url( 'https://x.example/a.png') }</style>",
    "<style>p { background: u\\72l(\\68ttps://x.example/a.png) }</style>",
    "<style>p { background: image-set('https://x.example/a.png' 1x) }</style>",
    "<style/>@import 'https://x.example/a.css';</style>",
    '<p style="background: url(//x.example/a.png)">',
    '<meta http-equiv="Refresh" content="0; URL=\'https://x.example/\'">',
    '<meta http-equiv="refresh" content="0; https://x.example/">',
    '<encoding action="https://x.example/"></encoding>',
    '<button formaction="https://x.example/"></button>',
    '<base href="https://x.example/">',
    '<a href="#a" ping="https://x.example/">a</a>',
    '<iframe srcdoc="&lt;img src=&quot;https://x.example/a.png&quot;&gt;"></iframe>',
    "<iframe srcdoc=\"<iframe srcdoc='<img src=https://x.example/a.png>'></iframe>\"></iframe>",
    '<!--><img src="https://x.example/a.png">-->',
    '<script>"</script x><img src=https://x.example/a.png>',
    '<img src="wss://x.example/">',
    '<a href="javascript:alert(1)">a</a>',
    '<a href=" java\nscript:alert(1)">a</a>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<encoding action="javascript:alert(1)"></encoding>',
    '<a href="vbscript:x">a</a>',
    '<a href="file:///home/me">a</a>',
]


@pytest.mark.parametrize("markup", EXTERNAL)
def test_external_addresses_are_refused(markup: str) -> None:
    """External and script addresses are refused, whether links are allowed or not."""
    for links in (False, True):
        message = refused(f"<!DOCTYPE html>\n<html>\n{markup}</html>", links=links)
        assert "a.png?" not in message


def test_the_message_says_where() -> None:
    """The message has element, attribute, line and host, but not the path, which may be signed."""
    message = refused("<p>\n<p>\n<img src='https://me:pass@x.example/a?k=v'>")
    assert "<img src>" in message
    assert "line 3" in message
    assert "https://x.example" in message
    assert "pass" not in message
    assert "k=v" not in message


def test_links_must_be_allowed() -> None:
    """External links are refused unless they are allowed."""
    page = '<a href="https://example.org/">out</a><svg><a xlink:href="http://x.example"/></svg>'
    assert "link" in refused(page)
    check_page(page, allow_links=True)


def test_endless_nesting_is_refused() -> None:
    """Deep nesting is refused, so that the check always ends."""
    page = "<p>"
    for _ in range(9):
        page = f'<iframe srcdoc="{html.escape(page)}"></iframe>'
    assert "levels deep" in refused(page)
    refused("<![broken>")
