"""What sections draw from: the results, the report's place, and the pictures and films in it."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.analysis import LoadedRun, Ranking, Results, best_and_worst
from lab.errors import InputError
from lab.media import data_uri
from lab.player import Copies, film_heat, make_copies
from lab.player.copies import SHORT_SIDE_PX
from lab.units import bytes_text

_SMALLER_SIDE_PX = 240
_BASE64 = 4 / 3
_OPENING = 2


@dataclass(frozen=True, eq=False)
class ReportContext:
    """The results, where the report will lie, and how many bytes of films it may carry.

    pictures: False draws no picture and copies no clip, where only the words are wanted.
    """

    results: Results
    report: Path
    most_bytes: int
    heatmaps: bool = False
    quiet: bool = True
    pictures: bool = True

    def title(self, take: dict[str, Any]) -> str:
        """What a take is called in headings: what varied, and the repeat if there are several."""
        return self.results.title(str(take["take_id"]))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Every take as a plain mapping."""
        return [
            {str(name): value for name, value in row.items()}
            for row in self.results.takes.to_dict("records")
        ]

    @cached_property
    def ranking(self) -> Ranking:
        """The best and the worst takes."""
        return best_and_worst(self.results)

    @cached_property
    def opening(self) -> list[str]:
        """The takes that the player opens with: the best and a worst of its still, if ranked."""
        best, worst = self.ranking.best[:1], list(self.ranking.worst)
        stills = {row["take_id"]: row["still"] for row in self.rows}
        if best:
            worst.sort(key=lambda verdict: stills[verdict.take_id] != stills[best[0].take_id])
        chosen = [verdict.take_id for verdict in (*best, *worst[:1])]
        return chosen or list(self.copies.posters)[:_OPENING]

    @cached_property
    def heat(self) -> dict[str, dict[str, Path]]:
        """Films of the opening takes' heatmaps by take and metric, if they were asked for."""
        if not self.heatmaps:
            return {}
        found = {}
        for take_id in self.opening:
            with suppress(InputError):  # no scores, or a clip that cannot be read, as is said
                found[take_id] = film_heat(self.results, take_id)
        return found

    @cached_property
    def copies(self) -> Copies:
        """Posters of all takes, and as many films as the report may carry."""
        return self._fitted[0]

    @cached_property
    def fallback(self) -> str:
        """What was left out to stay within the size that was asked for, "" if nothing was."""
        return self._fitted[1]

    @cached_property
    def _fitted(self) -> tuple[Copies, str]:
        """Films at 360 px if they fit, else at 240 px, else those of the foremost takes."""
        if not self.pictures:
            return Copies(), ""
        most = bytes_text(self.most_bytes)
        for side in (SHORT_SIDE_PX, _SMALLER_SIDE_PX):
            copies = self._copies(side)
            sizes = {
                take_id: round(film.stat().st_size * _BASE64)
                for take_id, film in copies.films.items()
            }
            if sum(sizes.values()) <= self.most_bytes:
                smaller = f"The films are smaller than usual ({side} px) to keep them within {most}"
                return copies, "" if side == SHORT_SIDE_PX else smaller
        kept, spent = {}, 0
        for take_id in self._foremost(list(copies.films)):
            if spent + sizes[take_id] <= self.most_bytes:
                kept[take_id] = copies.films[take_id]
                spent += sizes[take_id]
        said = (
            f"Only {len(kept)} of {len(sizes)} clips are inside as films, to keep them within "
            f"{most}: the best and the worst, then one of each trial. The others are pictures"
        )
        return Copies(kept, copies.posters, copies.stills, copies.problems), said

    def _copies(self, short_side_px: int) -> Copies:
        """Copies of all clips, each run's in its own folder."""
        copies = Copies()
        for run in self.results.runs:
            takes = [row for row in self.rows if self.results.run_of(row) is run]
            made = make_copies(run.folder, takes, short_side_px=short_side_px, quiet=self.quiet)
            copies = copies.joined(made)
        return copies

    def _foremost(self, take_ids: list[str]) -> list[str]:
        """By how much a reader would miss them: extremes, then a first take of each trial."""
        best, worst = self.ranking.best, self.ranking.worst
        extremes = [verdict.take_id for pair in zip(best, worst, strict=True) for verdict in pair]
        repeats = {row["take_id"]: row["repeat"] for row in self.rows}
        rest = sorted(take_ids, key=lambda take_id: repeats[take_id])
        return [take_id for take_id in dict.fromkeys([*extremes, *rest]) if take_id in take_ids]

    @cached_property
    def films(self) -> dict[Path, str]:
        """Every film in the page, and the id of the element that carries it."""
        clips = {film: f"film-{take_id}" for take_id, film in self.copies.films.items()}
        heat = {
            film: f"heat-{take_id}-{metric}"
            for take_id, by_metric in self.heat.items()
            for metric, film in by_metric.items()
        }
        return {**clips, **heat}

    def address(self, path: Path) -> str:
        """How the player finds a film or picture that the page carries: by its element's id."""
        return f"#{self._ids[path]}"

    @cached_property
    def _ids(self) -> dict[Path, str]:
        posters = {path: f"poster-{take_id}" for take_id, path in self.copies.posters.items()}
        stills = {path: path.stem for path in self.copies.stills.values()}
        return {**self.films, **posters, **stills}

    def still_uri(self, take: dict[str, Any]) -> str:
        """The still, small, as a data: address; "" for a clip made from text alone."""
        path = self.copies.stills.get(take["still_path"])
        return "" if path is None else data_uri(path.read_bytes(), ".jpg")

    def poster_uri(self, take: dict[str, Any]) -> str:
        """The clip's first frame, small, as a data: address; "" where there is no clip."""
        path = self.copies.posters.get(str(take["take_id"]))
        return "" if path is None else data_uri(path.read_bytes(), ".jpg")

    def clip_path(self, take: dict[str, Any]) -> Path:
        """Where the take's clip lies."""
        return self.results.run_of(take).folder.path / str(take["clip"])

    def by_run(self, told: Callable[[LoadedRun], str]) -> str:
        """What is told of the runs: once where they agree, else each with its runs."""
        runs: dict[str, list[str]] = {}
        for run in self.results.runs:
            runs.setdefault(told(run), []).append(run.name)
        if len(runs) == 1:
            return next(iter(runs))
        return "; ".join(f"{text} ({', '.join(names)})" for text, names in runs.items())

    def link(self, path: Path) -> str:
        """The way from the report to a file."""
        return Path(os.path.relpath(path, self.report.parent)).as_posix()
