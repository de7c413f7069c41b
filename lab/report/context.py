"""Provides what the sections are built from: results, paths, pictures and videos."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict, cast

from lab.analysis import LoadedRun, Ranking, Results, best_and_worst
from lab.errors import InputError
from lab.media import data_uri
from lab.player import Proxies, make_heatmap_videos, make_proxies
from lab.player.proxies import PROXY_SIDE_PX
from lab.units import bytes_text

_REDUCED_SIDE_PX = 240
_BASE64_GROWTH = 4 / 3
_UNRANKED_TAKES = 2  # how many takes the player opens with when none is ranked


class TakeEntry(TypedDict):
    """The columns of `Results.takes` that sections read. Each factor has a column too."""

    take_id: str
    run: str
    repeat: int
    state: str
    message: str | None
    cost_usd: float | None
    prompt_text: str
    still: str
    still_path: str
    clip: str


@dataclass(frozen=True, eq=False)
class ReportContext:
    """The results, the path of the report, and how many bytes of videos it may hold.

    pictures: False draws no pictures and makes no proxies, for callers that need only the text.
    """

    results: Results
    report: Path
    max_video_bytes: int
    with_heatmaps: bool = False
    quiet: bool = True
    pictures: bool = True

    def title(self, take: TakeEntry) -> str:
        """A take's name in headings: the varied factors, and the repeat if there are several."""
        return self.results.title(str(take["take_id"]))

    @cached_property
    def rows(self) -> list[TakeEntry]:
        """Every take as a plain mapping."""
        return cast(list[TakeEntry], self.results.takes.to_dict("records"))

    @cached_property
    def ranking(self) -> Ranking:
        """The best and the worst takes."""
        return best_and_worst(self.results)

    @cached_property
    def initial_takes(self) -> list[str]:
        """The takes that the player opens with.

        The best take and one of the worst, of the same still if possible. The first takes if
        none is ranked.
        """
        best, worst = self.ranking.best[:1], list(self.ranking.worst)
        stills = {row["take_id"]: row["still"] for row in self.rows}
        if best:
            worst.sort(key=lambda verdict: stills[verdict.take_id] != stills[best[0].take_id])
        chosen = [verdict.take_id for verdict in (*best, *worst[:1])]
        return chosen or list(self.proxies.posters)[:_UNRANKED_TAKES]

    @cached_property
    def heatmaps(self) -> dict[str, dict[str, Path]]:
        """Heatmap videos of the initial takes by take id and metric; empty if not requested."""
        if not self.with_heatmaps:
            return {}
        heatmaps = {}
        for take_id in self.initial_takes:
            # A take without scores or with an unreadable clip has none; the page says why.
            with suppress(InputError):
                heatmaps[take_id] = make_heatmap_videos(self.results, take_id)
        return heatmaps

    @cached_property
    def proxies(self) -> Proxies:
        """Posters of all takes, and as many videos as the report may hold."""
        return self._proxies_and_note[0]

    @cached_property
    def size_note(self) -> str:
        """What was made smaller or left out to stay within the size limit; "" for nothing."""
        return self._proxies_and_note[1]

    @cached_property
    def _proxies_and_note(self) -> tuple[Proxies, str]:
        """Videos at 360 px if all fit, else at 240 px, else as many of these as fit."""
        if not self.pictures:
            return Proxies(), ""
        limit = bytes_text(self.max_video_bytes)
        for side_px in (PROXY_SIDE_PX, _REDUCED_SIDE_PX):
            proxies = self._make_proxies(side_px)
            sizes = {
                take_id: round(video.stat().st_size * _BASE64_GROWTH)
                for take_id, video in proxies.videos.items()
            }
            if sum(sizes.values()) <= self.max_video_bytes:
                note = f"The videos are smaller than usual ({side_px} px) to stay within {limit}"
                return proxies, "" if side_px == PROXY_SIDE_PX else note
        videos, used = {}, 0
        for take_id in self._by_priority(list(proxies.videos)):
            if used + sizes[take_id] <= self.max_video_bytes:
                videos[take_id] = proxies.videos[take_id]
                used += sizes[take_id]
        note = (
            f"Only {len(videos)} of {len(sizes)} clips are in this file as videos, to stay within "
            f"{limit}: the best and the worst, then one of each trial. The others are pictures"
        )
        return Proxies(videos, proxies.posters, proxies.stills, proxies.problems), note

    def _make_proxies(self, short_side_px: int) -> Proxies:
        """Proxies of all clips, stored in the folder of each clip's run."""
        proxies = Proxies()
        for run in self.results.runs:
            takes = [row for row in self.rows if self.results.run_of(row) is run]
            made = make_proxies(run.folder, takes, short_side_px=short_side_px, quiet=self.quiet)
            proxies = proxies.merged(made)
        return proxies

    def _by_priority(self, take_ids: list[str]) -> list[str]:
        """Best and worst takes first, then the first repeat of each trial, then the others."""
        best, worst = self.ranking.best, self.ranking.worst
        extremes = [verdict.take_id for pair in zip(best, worst, strict=True) for verdict in pair]
        repeats = {row["take_id"]: row["repeat"] for row in self.rows}
        rest = sorted(take_ids, key=lambda take_id: repeats[take_id])
        return [take_id for take_id in dict.fromkeys([*extremes, *rest]) if take_id in take_ids]

    @cached_property
    def videos(self) -> dict[Path, str]:
        """Every video in the page, with the id of the element that contains it."""
        clips = {video: f"video-{take_id}" for take_id, video in self.proxies.videos.items()}
        heatmaps = {
            video: f"heatmap-{take_id}-{metric}"
            for take_id, by_metric in self.heatmaps.items()
            for metric, video in by_metric.items()
        }
        return {**clips, **heatmaps}

    def anchor_url(self, path: Path) -> str:
        """The URL of a video or picture in the page: # and the id of its element."""
        return f"#{self._element_ids[path]}"

    @cached_property
    def _element_ids(self) -> dict[Path, str]:
        posters = {path: f"poster-{take_id}" for take_id, path in self.proxies.posters.items()}
        stills = {path: path.stem for path in self.proxies.stills.values()}
        return {**self.videos, **posters, **stills}

    def still_uri(self, take: TakeEntry) -> str:
        """The small still as a data: URI; "" for a clip made from text alone."""
        path = self.proxies.stills.get(take["still_path"])
        return "" if path is None else data_uri(path.read_bytes(), ".jpg")

    def poster_uri(self, take: TakeEntry) -> str:
        """The small first frame of the clip as a data: URI; "" if there is no clip."""
        path = self.proxies.posters.get(str(take["take_id"]))
        return "" if path is None else data_uri(path.read_bytes(), ".jpg")

    def clip_path(self, take: TakeEntry) -> Path:
        """The path of the take's clip."""
        return self.results.run_of(take).folder.path / str(take["clip"])

    def describe_runs(self, describe: Callable[[LoadedRun], str]) -> str:
        """One text that describes all runs.

        If the descriptions differ, each is followed by the names of its runs.
        """
        runs: dict[str, list[str]] = {}
        for run in self.results.runs:
            runs.setdefault(describe(run), []).append(run.name)
        if len(runs) == 1:
            return next(iter(runs))
        return "; ".join(f"{text} ({', '.join(names)})" for text, names in runs.items())

    def relative_path(self, path: Path) -> str:
        """The path relative to the folder of the report."""
        return Path(os.path.relpath(path, self.report.parent)).as_posix()
