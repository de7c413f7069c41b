"""Builds the JSON that the player reads: clips, proxies, scores over time, worst moments."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from lab.analysis import Results
from lab.analysis.figures import COLOURS
from lab.errors import InputError, did_you_mean
from lab.measures import Measure
from lab.media import probe
from lab.metrics import HEADLINES, JUDGED, SPECS, explain
from lab.player.proxies import Proxies
from lab.units import escape_controls

MAX_CLIPS = 9
_WORST_PER_METRIC = 2
_EVEN_SPACING_TOLERANCE_S = 0.001
# Colour and dash pattern of each clip's line. Black is left out: it is invisible in dark mode.
LINE_STYLES = [
    (colour, dash) for dash in ("", "6 3", "2 2") for colour in COLOURS if colour != "#000000"
]

FileUrl = Callable[[Path], str]


class MetricEntry(TypedDict):
    """A headline metric. threshold: the noticeability threshold, or None."""

    name: str
    unit: str
    description: str
    threshold: float | None


class WorstEntry(TypedDict):
    """A worst moment. weight: its value as a multiple of the metric's noticeability threshold."""

    metric: str
    time_s: float
    value: float | None
    weight: float | None
    text: str


class ClipEntry(TypedDict):
    """A clip.

    video, poster, still: URLs, "" if there is none. no_video: why there is no video. heatmaps:
    URLs of heatmap videos by metric. remark: a problem of the clip or its measurements, or "".
    times_s: the start of each frame in s, None if frames are evenly spaced. series: by metric,
    pairs of time in s and value. boxes: by metric and frame, left, top, right, bottom as
    fractions of the picture.
    """

    id: str
    title: str
    video: str
    poster: str
    still: str
    still_name: str
    no_video: str
    heatmaps: dict[str, str]
    remark: str
    frames: int
    fps: float
    times_s: list[float] | None
    series: dict[str, list[list[float | None]]]
    boxes: dict[str, dict[str, list[float]]]
    worst: list[WorstEntry]


class Session(TypedDict):
    """Everything that the player reads.

    line_styles: colour and dash pattern by the index of the clip. message: a text above the clips.
    can_make_heatmaps: the player offers to make missing heatmaps.
    """

    clips: list[ClipEntry]
    metrics: list[MetricEntry]
    line_styles: list[tuple[str, str]]
    message: str
    can_make_heatmaps: bool


def session(
    results: Results,
    take_ids: Sequence[str],
    proxies: Proxies,
    file_url: FileUrl,
    *,
    heatmaps: Mapping[str, Mapping[str, Path]] | None = None,
    can_make_heatmaps: bool = False,
) -> Session:
    """Plain data for `player.js`: the clips to play and what to draw below them.

    file_url: returns the URL at which the page can load a file. heatmaps: heatmap videos by take
    id and metric. can_make_heatmaps: the player offers to make missing ones. Raises InputError for
    a take that is not in the run, and for more than nine takes.
    """
    if len(take_ids) > MAX_CLIPS:
        raise InputError(f"{len(take_ids)} takes are too many to watch; choose up to {MAX_CLIPS}")
    rows = {str(row["take_id"]): row for row in results.takes.to_dict("records")}
    for take_id in take_ids:
        if take_id not in rows:
            raise InputError(f"{take_id}: no take of this run; {did_you_mean(take_id, rows)}")
    videos = heatmaps or {}
    return {
        "clips": [
            clip_entry(results, rows[take_id], proxies, file_url, heatmaps=videos.get(take_id, {}))
            for take_id in take_ids
        ],
        "metrics": metric_entries(),
        "line_styles": LINE_STYLES,
        "message": "",
        "can_make_heatmaps": can_make_heatmaps,
    }


def metric_entries() -> list[MetricEntry]:
    """The headline metrics."""
    return [
        {
            "name": name,
            "unit": SPECS[name].unit,
            "description": SPECS[name].says,
            "threshold": _json_number(SPECS[name].unnoticed),
        }
        for name in HEADLINES
    ]


def clip_entry(
    results: Results,
    take: Mapping[Any, Any],
    proxies: Proxies,
    file_url: FileUrl,
    *,
    heatmaps: Mapping[str, Path],
) -> ClipEntry:
    """A clip for the player. take: a row of `Results.takes`. heatmaps: videos by metric."""
    take_id, still = str(take["take_id"]), str(take["still_path"])
    video, poster = proxies.videos.get(take_id), proxies.posters.get(take_id)
    stored = results.stored_measure(take_id)
    measure, reason = stored.measure, stored.reason if take["clip"] else ""
    damage = measure.damage if measure else ""
    entry: ClipEntry = {
        "id": take_id,
        "title": results.title(take_id),
        "video": file_url(video) if video else "",
        "poster": file_url(poster) if poster else "",
        "still": file_url(proxies.stills[still]) if still in proxies.stills else "",
        "still_name": escape_controls(str(take["still"])),
        "no_video": escape_controls(
            proxies.problems.get(take_id) or ("" if take["clip"] else _no_clip_reason(take))
        ),
        "heatmaps": {metric: file_url(path) for metric, path in heatmaps.items()},
        "remark": escape_controls("; ".join(part for part in (damage, reason) if part)),
        "frames": 1,
        "fps": 25.0,
        "times_s": None,
        "series": {},
        "boxes": {},
        "worst": [],
    }
    if measure is None:
        info = probe(video) if video else None
        if info is not None:
            entry |= {"frames": info.frames, "fps": info.fps or entry["fps"]}
        return entry
    times, fps = measure.times_s, measure.fps or 25.0
    evenly_spaced = all(
        abs(time - index / fps) < _EVEN_SPACING_TOLERANCE_S for index, time in enumerate(times)
    )
    return {
        **entry,
        "frames": len(times),
        "fps": fps,
        "times_s": None if evenly_spaced else list(times),
        "series": {
            name: [
                [round(times[frame], 4), _json_number(value)]
                for frame, value in sorted(values.items())
            ]
            for name, values in measure.series.items()
            if name in HEADLINES
        },
        "boxes": {
            name: {str(frame): [round(side, 3) for side in box] for frame, box in boxes.items()}
            for name, boxes in measure.boxes.items()
            if name in HEADLINES
        },
        "worst": _worst_moments(measure),
    }


def _worst_moments(measure: Measure) -> list[WorstEntry]:
    """The worst moments of each judged metric."""
    record = measure.record()
    return [
        {
            "metric": name,
            "time_s": round(worst.time_s, 4),
            "value": _json_number(worst.value),
            "weight": _json_number(SPECS[name].visibility(worst.value)),
            "text": str(worst),
        }
        for name in JUDGED
        for worst in explain(record, name, _WORST_PER_METRIC)
    ]


def _no_clip_reason(take: Mapping[Any, Any]) -> str:
    return f"No clip ({take['state']}): {take['message'] or 'not made yet'}"


def _json_number(value: float | None) -> float | None:
    """The value with four digits, or null for NaN, which JSON does not have."""
    return None if value is None or value != value else float(f"{value:.4g}")
