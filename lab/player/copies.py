"""Small copies of a run's clips, and pictures of them; made once and kept beside the run.

Where the run folder cannot be written they are kept in a temporary folder instead.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.analysis import Results
from lab.analysis.results import own_id
from lab.errors import LabError, StillError
from lab.files import atomic_write, folder_or_temporary, sha256_file, temporary_folder_for
from lab.measures import replaced_clip_message
from lab.media import frames, open_image, poster_jpeg, write_proxy
from lab.metrics import METRICS, measure_with_heatmaps
from lab.runs import RunFolder
from lab.runs.progress import Progress
from lab.settings import settings
from lab.stills import Still

SHORT_SIDE_PX = 360
POSTER_SIDE_PX = 240


@dataclass(frozen=True)
class Copies:
    """Where the small copies of a run's takes lie.

    films and posters: by take id, for takes that have a clip. stills: by the still's path in the
    run folder. problems: by take id, why there is no copy.
    """

    films: dict[str, Path] = field(default_factory=dict)
    posters: dict[str, Path] = field(default_factory=dict)
    stills: dict[str, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def joined(self, other: "Copies") -> "Copies":
        """These and those of another run."""
        return Copies(
            self.films | other.films,
            self.posters | other.posters,
            self.stills | other.stills,
            self.problems | other.problems,
        )


def poster_path(folder: RunFolder, clip_sha256: str) -> Path:
    """Where the picture of a clip's first frame lies, once it is made."""
    return _place(folder, folder.proxies, f"{clip_sha256[:16]}-{POSTER_SIDE_PX}.jpg")


def make_copies(
    folder: RunFolder,
    takes: Iterable[Mapping[Any, Any]],
    *,
    short_side_px: int | None = SHORT_SIDE_PX,
    quiet: bool = False,
) -> Copies:
    """Copy the clips of these takes, rows of `Results.takes`; what is there is used again.

    A copy's frames have the times of the original's; its shorter side has at most short_side_px
    pixels. None makes posters only, pictures of the first frame. A clip that is gone or broken is
    named in `problems` and stops nothing.
    """
    copies = Copies()
    sha256s: dict[str, str] = {}
    jobs: dict[str, tuple[Path, str, Path, Path | None]] = {}
    for take in takes:
        if take["still_path"]:
            name = _still_name(take)
            copies.stills[take["still_path"]] = _place(folder, folder.proxies, name)
            sha256s[take["still_path"]] = take["still_sha256"]
        if take["clip"]:
            poster = poster_path(folder, take["clip_sha256"])
            name = f"{take['clip_sha256'][:16]}-{short_side_px}.mp4"
            moves = short_side_px and not take["clip"].endswith(".png")  # a still that was made
            film = _place(folder, folder.proxies, name) if moves else None
            clip = folder.path / take["clip"]
            if why := folder.outside_error(clip):
                copies.problems[take["take_id"]] = why
            else:
                jobs[take["take_id"]] = (clip, take["clip_sha256"], poster, film)
    for path, picture in list(copies.stills.items()):
        try:
            if not picture.is_file():
                if why := folder.still_error(path, sha256s[path]):
                    raise StillError(why)
                _write(picture, poster_jpeg(open_image(folder.path / path).rgb, SHORT_SIDE_PX))
        except StillError:
            del copies.stills[path]  # there is nothing to show; `still_troubles` says why
    missing = {
        take_id: job
        for take_id, job in jobs.items()
        if not all(path.is_file() for path in job[2:] if path is not None)
    }
    if missing:
        # Threads are enough: decoding, resizing and encoding leave Python's lock alone.
        with (
            ThreadPoolExecutor(settings().workers) as pool,
            Progress(len(missing), "clips copied", quiet=quiet) as progress,
        ):
            started = {pool.submit(_copy, *job): take_id for take_id, job in missing.items()}
            for done in as_completed(started):
                said = done.result()
                if said:
                    copies.problems[started[done]] = said
                progress.advance()
    for take_id, (_, _, poster, film) in jobs.items():
        if take_id not in copies.problems:
            copies.posters[take_id] = poster
            if film is not None:
                copies.films[take_id] = film
    return copies


def film_heat(results: Results, take_id: str) -> dict[str, Path]:
    """Films of where each headline score of a take comes from, made once and kept beside the run.

    Measures the clip again, some seconds. Raises InputError for a take without a scored clip, and
    ClipError when its clip is gone.
    """
    record = results.record(take_id)
    take = results.takes[results.takes["take_id"] == take_id].iloc[0].to_dict()
    folder, own = results.run_of(take).folder, own_id(take_id)
    stem = f"{own}-{take['clip_sha256'][:8]}"
    kept = {name: _place(folder, folder.heatmaps, f"{stem}.{name}.mp4") for name in record["boxes"]}
    missing = [path for path in kept.values() if not path.is_file()]
    if missing:
        still = Still.open(folder.path / take["still_path"]) if take["still_path"] else None
        if still and (why := folder.still_error(take["still_path"], take["still_sha256"])):
            raise StillError(f"{take_id}: {why}")
        measure_with_heatmaps(folder.clip_path(own), still, METRICS, missing[0].parent)
    return {name: path for name, path in kept.items() if path.is_file()}


def _place(folder: RunFolder, beside: Path, name: str) -> Path:
    """Where a copy lies, or is to be made; what a link elsewhere leads to is no copy of ours."""
    path = beside / name
    if folder.outside_error(path):
        return temporary_folder_for(beside) / name
    return path if path.is_file() else folder_or_temporary(beside) / name


def _copy(clip: Path, sha256: str, poster: Path, film: Path | None) -> str:
    """Worker: what is missing of a clip's copies; returns why it could not be made, or ""."""
    try:
        # Copies are kept under the clip's hash, so no other file's may get there.
        if clip.is_file() and sha256_file(clip) != sha256:
            return replaced_clip_message(clip, sha256)
        if film is not None and not film.is_file():
            short_side_px = int(film.stem.rpartition("-")[2])
            write_proxy(clip, film, short_side_px)
        if not poster.is_file():
            moves = clip.suffix != ".png"
            first = next(iter(frames(clip))).rgb if moves else open_image(clip).rgb
            _write(poster, poster_jpeg(first, POSTER_SIDE_PX))
    except (LabError, OSError) as error:
        return str(error)
    return ""


def _still_name(take: Mapping[Any, Any]) -> str:
    return f"still-{take['still_sha256'][:16]}-{SHORT_SIDE_PX}.jpg"


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as part:
        part.write_bytes(content)
