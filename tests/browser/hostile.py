"""Hostile strings, and runs in which every text is one of them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from lab.analysis import Results, load
from lab.backends import FetchResult, Job, JobStatus
from lab.backends.contract import JobState
from lab.media import open_image, write_image
from lab.runs import run
from lab.sweeps import Sweep
from lab.units import escape_controls
from tests.browser.coded_clips import CodedBackend, write_coded

_HACK = "window.__hacked=1"
_REMOTE = "http://198.51.100.7/x"

STRINGS = (
    f"<script>{_HACK}</script>",
    f"</script><script>{_HACK}</script>",
    f"</style><script>{_HACK}</script>",
    f"</title><script>{_HACK}</script>",
    f"</textarea><script>{_HACK}</script>",
    f"<ScRiPt >{_HACK}</ScRiPt >",
    f"<script src={_REMOTE}.js></script>",
    f"<img src=x onerror={_HACK}>",
    f"<img src=x onerror='alert(1);{_HACK}'>",
    f"<svg onload={_HACK}>",
    f"<svg><script>{_HACK}</script></svg>",
    f"<svg><animate onbegin={_HACK} attributeName=x dur=1s>",
    f"<details open ontoggle={_HACK}>x</details>",
    f"<input autofocus onfocus={_HACK}>",
    f"<video><source onerror={_HACK}></video>",
    f"<math><mtext><style><img src=x onerror={_HACK}></style></mtext></math>",
    f'" onmouseover="{_HACK}" x="',
    f"' onfocus='{_HACK}' autofocus tabindex=0 x='",
    f'"><img src=x onerror={_HACK}>',
    f"'><img src=x onerror={_HACK}>",
    f"` onerror={_HACK} `",
    f"<a href=javascript:{_HACK}>press</a>",
    f"javascript:{_HACK}//",
    f"data:text/html,<script>{_HACK}</script>",
    f"<iframe srcdoc='<script>parent.{_HACK[7:]}</script>'></iframe>",
    f"<iframe src={_REMOTE}></iframe>",
    f"<object data={_REMOTE}></object><embed src={_REMOTE}>",
    f"<link rel=stylesheet href={_REMOTE}.css>",
    f"<style>@import '{_REMOTE}.css'; body {{ display: none }}</style>",
    f'<p style="background:url({_REMOTE}.png);width:expression({_HACK})">x</p>',
    f"}} body {{ background: url({_REMOTE}.png) }} x {{",
    f"<meta http-equiv=refresh content='0;url={_REMOTE}'>",
    f"<base href={_REMOTE}/>",
    f"<form action={_REMOTE}><button autofocus>x</button></form>",
    f"<!-- <img src=x onerror={_HACK}> -->",
    "<!--",
    "]]><![CDATA[",
    "<plaintext>",
    f"{{{{7*7}}}} {{% raw %}} ${{{_HACK}}} #{{7*7}} <%= 7*7 %>",
    "{0.__class__} %s %(x)s %n",
    r"$\frac{1}{$ \unknown{x} $$",
    rf"$\href{{javascript:{_HACK}}}{{press}}$",
    "_{ ^{ $",
    "**bold** `code` [x](javascript:alert(1)) ![x](http://198.51.100.7/y.png)",
    "| a | b |\\n|---|---| # heading > quote",
    '","x":1}],"clips":[{"id":"',
    "\\u003cscript\\u003e \\x3cimg\\x3e \\\\",
    f"&lt;img src=x onerror={_HACK}&gt; &#60;b&#62; &amp;amp; &nbsp",
    f"%3Cscript%3E{_HACK}%3C/script%3E %00 %2e%2e%2f",
    "../../../../etc/passwd",
    "..\\..\\windows\\system32 C:\\x CON",
    "\x1b[31mred\x1b[0m \x07 \x1b]0;title\x1b\\",
    "zero\u200bwidth\u200d\ufeffjoiners \u00ad",
    "\u202eright to left\u202c \u2066isolated\u2069",
    "null",
    "NaN",
    "undefined",
    "-Infinity",
    "'; DROP TABLE takes; --",
    '=HYPERLINK("http://198.51.100.7/";"x")',
    "video-x' or 1=1 #i2v-session",
    "a" * 300,
    "\U0001f3a5\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301\u0323 \ufdfd",
)
# Three strings a prompt: each prompt is a clip that is made, measured and shown.
TEXTS = tuple(" ".join(STRINGS[index : index + 3]) for index in range(0, len(STRINGS), 3))
FAILS = " (fails)"


def as_shown(text: str) -> str:
    """The string as a page shows it: whitespace collapsed, control characters escaped."""
    return " ".join(escape_controls(text).split())


def file_names() -> list[str]:
    """All strings in as few file names as possible. A name has no slash and at most 200 bytes."""
    names = [""]
    for text in STRINGS:
        plain = text.replace("/", "∕")[:60]
        if len(f"{names[-1]}{plain}".encode()) > 200:
            names.append("")
        names[-1] += plain
    return names


@cache
def _noise() -> np.random.Generator:
    return np.random.default_rng(7)


def write_stills(folder: Path) -> list[Path]:
    """Write small stills with hostile names. The history in the PNG is hostile too."""
    photo = open_image(Path(__file__).resolve().parents[2] / "data" / "stills" / "cat.jpg").rgb
    paths = []
    for index, name in enumerate(file_names()):
        paths.append(folder / f"{name}.png")
        rgb = np.ascontiguousarray(photo[20 + index : 340 + index, 20:400])
        write_image(paths[-1], rgb, history=STRINGS[20 * index : 20 * index + 20])
    return paths


class HostileBackend(CodedBackend):
    """A backend that makes a short clip of a prompt, or fails with its text as the reason."""

    name = origin = "hostile"

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        return {
            job.id: JobStatus(JobState.FAILED, job.data["clip"].removesuffix(FAILS))
            if job.data["clip"].endswith(FAILS)
            else JobStatus(JobState.DONE)
            for job in jobs
        }

    def fetch(self, job: Job, path: Path) -> FetchResult:
        write_coded(path, "short 4")
        text = job.data["clip"]
        return FetchResult(not_honoured=((text, text),), notes=(text,))


@dataclass(frozen=True)
class Hostile:
    """A run of hostile prompts on one still, and a run with one take of each other still."""

    prompts: Results
    stills: Results
    paths: tuple[Path, ...]


def make(folder: Path, *, fresh: bool = True) -> Hostile:
    """Make the runs, or load them if fresh is False. The backend "hostile" must be registered."""
    if fresh:
        (folder / "stills").mkdir()
        write_stills(folder / "stills")
    paths = [folder / "stills" / f"{name}.png" for name in file_names()]
    named: list[dict[str, Any]] = [
        {"name": f"{text}{end}", "text": f"{text}{end}"} for text in TEXTS for end in ("", FAILS)
    ]
    made = []
    for name, stills, prompts in (
        ("prompts", paths[:1], named),
        ("stills", paths[1:], named[:1]),
    ):
        sweep = Sweep.of(
            stills=[escape(str(path)) for path in stills],
            prompts=prompts,
            settings={"duration_s": 1, "seed": 7},
            backend="hostile",
            budget_usd=1,
        )
        if fresh:
            with ThreadPoolExecutor(1) as executor:
                run(sweep, folder / f"run {name}", quiet=True, executor=executor)
        results = load(folder / f"run {name}")
        everything = as_shown(" ".join(STRINGS))
        renamed = {**results.sweep, "name": everything, "question": everything}
        made.append(replace(results, runs=(replace(results.run, sweep=renamed),)))
    return Hostile(*made, tuple(paths))
