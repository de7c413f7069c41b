"""What the player reads: clips, their copies, their measures over time, their worst moments."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.analysis import Results
from lab.analysis.figures import COLOURS
from lab.errors import InputError, did_you_mean
from lab.measures import Measure
from lab.media import probe
from lab.metrics import HEADLINES, JUDGED, SPECS, explain
from lab.player.copies import Copies
from lab.units import escape_controls

MOST_CLIPS = 9
_WORST = 2
_EVEN_S = 0.001
# Black would vanish on dark paper.
LINES = [(colour, dash) for dash in ("", "6 3", "2 2") for colour in COLOURS if colour != "#000000"]

Address = Callable[[Path], str]


def session(
    results: Results,
    take_ids: Sequence[str],
    copies: Copies,
    address: Address,
    *,
    heat: Mapping[str, Mapping[str, Path]] | None = None,
    can_film: bool = False,
) -> dict[str, Any]:
    """Plain data for `player.js`: what to play, where it lies, what to draw under it.

    address: turns a file into what the page can load. heat: films of heatmaps by take id and
    metric. can_film: whether whoever shows the player can make such films. Raises InputError for a
    take that the run does not have, and for more than nine.

    The result has `clips` (see `clip_entry`), `metrics` (name, unit, says, unnoticed: the level
    that nobody would notice, or null), `lines` (colour and dash pattern by place), `said` (a line
    above it all) and `can_film`.
    """
    if len(take_ids) > MOST_CLIPS:
        raise InputError(f"{len(take_ids)} takes are too many to watch; choose up to {MOST_CLIPS}")
    rows = {str(row["take_id"]): row for row in results.takes.to_dict("records")}
    for take_id in take_ids:
        if take_id not in rows:
            raise InputError(f"{take_id}: no take of this run; {did_you_mean(take_id, rows)}")
    films = heat or {}
    return {
        "clips": [
            clip_entry(results, rows[take_id], copies, address, heat=films.get(take_id, {}))
            for take_id in take_ids
        ],
        "metrics": metric_entries(),
        "lines": LINES,
        "said": "",
        "can_film": can_film,
    }


def metric_entries() -> list[dict[str, Any]]:
    """The headline metrics as the player names them."""
    return [
        {
            "name": name,
            "unit": SPECS[name].unit,
            "says": SPECS[name].says,
            "unnoticed": _plain(SPECS[name].unnoticed),
        }
        for name in HEADLINES
    ]


def clip_entry(
    results: Results,
    take: Mapping[Any, Any],
    copies: Copies,
    address: Address,
    *,
    heat: Mapping[str, Path],
) -> dict[str, Any]:
    """One clip for the player; take: a row of `Results.takes`; heat: its heatmaps by metric.

    id, title; video, poster and still: addresses, "" where there is none, and missing says why;
    remark: what is wrong with the clip file or its measurements, "" for nothing;
    frames, fps and times_s: when each frame begins in s, null where they are evenly spaced; series:
    by metric [time in s, value]; boxes: by metric and frame, left, top, right, bottom as shares of
    the picture; worst: moments, with weight to sort them by over metrics; heat: films by metric.
    """
    take_id, still = str(take["take_id"]), str(take["still_path"])
    film, poster = copies.films.get(take_id), copies.posters.get(take_id)
    entry = {
        "id": take_id,
        "title": results.title(take_id),
        "video": address(film) if film else "",
        "poster": address(poster) if poster else "",
        "still": address(copies.stills[still]) if still in copies.stills else "",
        "still_name": escape_controls(str(take["still"])),
        "missing": escape_controls(
            copies.problems.get(take_id) or ("" if take["clip"] else _no_clip(take))
        ),
        "heat": {metric: address(path) for metric, path in heat.items()},
    }
    stored = results.stored_measure(take_id)
    measure, why = stored.measure, stored.reason if take["clip"] else ""
    damage = measure.damage if measure else ""
    entry["remark"] = escape_controls("; ".join(part for part in (damage, why) if part))
    if measure is None:
        facts = probe(film) if film else None
        timing = {"frames": facts.frames if facts else 1, "fps": (facts and facts.fps) or 25.0}
        return {**entry, **timing, "times_s": None, "series": {}, "boxes": {}, "worst": []}
    times, fps = measure.times_s, measure.fps or 25.0
    even = all(abs(time - index / fps) < _EVEN_S for index, time in enumerate(times))
    return {
        **entry,
        "frames": len(times),
        "fps": fps,
        "times_s": None if even else list(times),
        "series": {
            name: [
                [round(times[frame], 4), _plain(value)] for frame, value in sorted(values.items())
            ]
            for name, values in measure.series.items()
            if name in HEADLINES
        },
        "boxes": {
            name: {str(frame): [round(side, 3) for side in box] for frame, box in boxes.items()}
            for name, boxes in measure.boxes.items()
            if name in HEADLINES
        },
        "worst": _worst(measure),
    }


def _worst(measure: Measure) -> list[dict[str, Any]]:
    """The worst moments of the judged metrics, in multiples of what nobody would notice."""
    record = measure.record()
    return [
        {
            "metric": name,
            "time_s": round(worst.time_s, 4),
            "value": _plain(worst.value),
            "weight": _plain(SPECS[name].visibility(worst.value)),
            "said": str(worst),
        }
        for name in JUDGED
        for worst in explain(record, name, _WORST)
    ]


def _no_clip(take: Mapping[Any, Any]) -> str:
    return f"No clip ({take['state']}): {take['message'] or 'not made yet'}"


def _plain(value: float | None) -> float | None:
    """Four digits; null for what is no number, which JSON does not have."""
    return None if value is None or value != value else float(f"{value:.4g}")
