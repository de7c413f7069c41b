"""The golden table: what every number reads on every clip, and the definition it was read by.

`tests/data/golden/` holds a file a metric, one for the published numbers and one for the constants
that all share. A number's entry has its version, the fields of its definition and its value on each
clip, or why there is none. As long as its version stays, so do they; `complaints` says what does
not. Where constants have changed, at least one number of that metric has to have grown its version
or be new; of constants that all share, any number. Which ones, only the values can tell.
"""

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from lab.media import write_clip, write_image
from lab.metrics import LITERATURE, METRICS, SPECS, MetricSpec, literature, measure
from lab.stills import Still
from tests.metrics.golden.clips import CLIPS, Clip
from tests.metrics.golden.constants import changes, reached, sources

FOLDER = Path(__file__).parents[2] / "data" / "golden"
EVERY: dict[str, MetricSpec] = {**SPECS, **LITERATURE}
# Their network's weights come with no package, so no test has them; their constants are held.
WITHOUT_VALUES = ("vbench.subject_consistency", "vbench.i2v_subject")
SHARED = "shared"
_PUBLISHED = "literature"
# What a text says and who is ranked by it is no part of the number; the version is what the rest is
# held to.
_NOT_DEFINING = ("name", "version", "says", "ignores", "reference", "judged")
_RELATIVE = 0.02
_OF_UNNOTICED = 0.1
# Of the largest value in the table, for numbers without a noticeable level: near 0 their digits
# are those of the processor. Without AVX2 they were seen to differ by 0.0008 of it.
_OF_LARGEST = 0.003

WHAT_TO_DO = (
    "Raise the number's version and run `make golden`, or undo the change. A clip that is drawn "
    "differently gets another name in tests/metrics/golden/clips.py."
)

Values = dict[str, float | str]
"""By clip: the value, or the reason why there is none."""
Table = dict[str, dict[str, Any]]
"""By metric: {"numbers": {name: entry}, "constants": {place: numbers}}."""


@dataclass(frozen=True)
class Complaint:
    """What differs from the table, in one line.

    number: which one, "" for constants. forbidden: True for what may not change under the same
    version, False for what only has to be written.
    """

    metric: str
    number: str
    says: str
    forbidden: bool

    def __str__(self) -> str:
        return f"{self.number or self.metric} {self.says}"


def stored() -> Table:
    """The table as committed."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}


def read(values: Mapping[str, Values]) -> Table:
    """The table that today's definitions give. values: by number."""
    texts = sources()
    shared = reached(texts, [("lab.metrics.measure", "measure")])
    roots = {
        metric.specs[0].name.partition(".")[0]: [(type(metric).__module__, type(metric).__name__)]
        for metric in METRICS
    }
    roots[_PUBLISHED] = [(literature.__module__, name) for name in ("literature", "LITERATURE")]
    table: Table = {SHARED: {"numbers": {}, "constants": shared}}
    for metric, root in roots.items():
        own = {p: numbers for p, numbers in reached(texts, root).items() if p not in shared}
        table[metric] = {"numbers": {}, "constants": own}
    for name, spec in EVERY.items():
        metric = _PUBLISHED if name in LITERATURE else name.partition(".")[0]
        table[metric]["numbers"][name] = {
            "version": spec.version,
            **{
                field.name: str(getattr(spec, field.name))
                for field in fields(spec)
                if field.name not in _NOT_DEFINING
            },
            "values": values.get(name, {}),
        }
    return table


def measured() -> dict[str, Values]:
    """Every number's values on the golden clips, by number."""
    values: dict[str, Values] = {name: {} for name in EVERY}
    with tempfile.TemporaryDirectory() as folder:
        for title, draw in CLIPS.items():
            for name, value in _scored(draw(), Path(folder)).items():
                if name not in WITHOUT_VALUES:
                    values[name][title] = value
    return values


def _scored(clip: Clip, folder: Path) -> Values:
    path, picture = folder / "clip.mp4", folder / "still.png"
    shown = (np.ascontiguousarray(rgb) for rgb in clip.frames)
    write_clip(path, shown, fps=clip.fps, crf=0, threads=1)
    still = None
    if clip.still is not None:
        write_image(picture, clip.still)
        still = Still.open(picture)
    scores = (*measure(path, still, METRICS).scores, *literature(path, still).scores)
    return {s.name: s.reason or float(f"{s.value:.6g}") for s in scores}


def complaints(before: Table, after: Table) -> list[Complaint]:
    """What may not have changed, and what the table has yet to take in."""
    found = []
    grown: set[str] = set()
    for metric in sorted({*before, *after}):
        then, now = (table.get(metric, {}).get("numbers", {}) for table in (before, after))
        for name in dict.fromkeys([*then, *now]):
            if name not in now:
                grown.add(metric)
                found.append(Complaint(metric, name, "is measured no more", forbidden=False))
            elif name not in then:
                grown.add(metric)
                found.append(Complaint(metric, name, "is new", forbidden=False))
            elif now[name]["version"] > then[name]["version"]:
                grown.add(metric)
                says = f"has version {now[name]['version']}, the table {then[name]['version']}"
                found.append(Complaint(metric, name, says, forbidden=False))
            else:
                found += _moved(metric, name, then[name], now[name])
    for metric in sorted({*before, *after}):
        then, now = (table.get(metric, {}).get("constants", {}) for table in (before, after))
        forbidden = not (grown if metric == SHARED else metric in grown)
        said = changes(then, now, after.get(SHARED, {}).get("constants", {}))
        found += [Complaint(metric, "", f"constant of {line}", forbidden) for line in said]
    return found


def _moved(metric: str, name: str, then: dict[str, Any], now: dict[str, Any]) -> list[Complaint]:
    """What differs in two entries of one number, neither of which is newer."""
    found = []
    for field in dict.fromkeys([*then, *now]):
        if field not in then or field not in now:
            says = f"{'has a' if field in now else 'lacks its'} field {field}"
            found.append(Complaint(metric, name, says, forbidden=False))
        elif field != "values" and then[field] != now[field]:
            says = f"{field}: {then[field]} → {now[field]}"
            found.append(Complaint(metric, name, says, forbidden=True))
    known: Values = then["values"]
    for clip in dict.fromkeys([*known, *now["values"]]):
        if clip not in known or clip not in now["values"]:
            says = f"is {'no more' if clip in known else 'now'} measured on {clip}"
            found.append(Complaint(metric, name, says, forbidden=False))
            continue
        was, here = known[clip], now["values"][clip]
        if isinstance(was, str) or isinstance(here, str):
            if was != here:
                both = isinstance(was, str) and isinstance(here, str)
                found.append(Complaint(metric, name, f"on {clip}: {was} → {here}", not both))
            continue
        allowed = tolerance(name, was, known)
        if not abs(here - was) <= allowed:
            share = f"{here / was - 1:+.1%}, " if was else ""
            says = f"on {clip}: {was:g} → {here:g} ({share}±{allowed:.2g} allowed)"
            found.append(Complaint(metric, name, says, forbidden=True))
    return found


def tolerance(name: str, value: float, every: Values) -> float:
    """How far a number's value on a clip may move; every: its values on all clips."""
    spec = EVERY.get(name)
    unnoticed = math.nan if spec is None else spec.flaw(spec.unnoticed)
    if math.isnan(unnoticed):
        floor = _OF_LARGEST * max(abs(v) for v in every.values() if not isinstance(v, str))
    else:
        floor = _OF_UNNOTICED * unnoticed
    return max(_RELATIVE * abs(value), floor)


def rewritten(before: Table, after: Table) -> Table:
    """The table to commit: what is new or has grown its version is taken in; the rest stays.

    Values within their tolerance stay as well, or they would creep.
    """
    found = complaints(before, after)
    kept = {one.metric for one in found if one.forbidden and not one.number}
    table: Table = {}
    for metric, now in after.items():
        then = before.get(metric, {"numbers": {}, "constants": {}})
        table[metric] = {
            "numbers": {
                name: _settled(then["numbers"].get(name), entry)
                for name, entry in now["numbers"].items()
            },
            "constants": (then if metric in kept else now)["constants"],
        }
    return table


def _settled(then: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    if then is None or now["version"] > then["version"]:
        return now
    values: Values = {}
    for clip, here in now["values"].items():
        was = then["values"].get(clip, here)
        words = isinstance(was, str) and isinstance(here, str)
        values[clip] = here if words else was
    return {**{field: then.get(field, now[field]) for field in now}, "values": values}


def write(table: Table) -> None:
    """Write the table, a file a metric."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.json"):
        if path.stem not in table:
            path.unlink()
    for metric, content in table.items():
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (FOLDER / f"{metric}.json").write_text(text + "\n", encoding="utf-8")
