"""Makes small copies (proxies) of a run's clips and stills, once, and stores them with the run.

If the run folder cannot be written, the proxies go to a temporary folder.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.analysis import Results
from lab.analysis.results import ledger_take_id
from lab.errors import LabError, StillError
from lab.files import atomic_write, folder_or_temporary, sha256_file, temporary_folder_for
from lab.measures import replaced_clip_message
from lab.media import frames, open_image, poster_jpeg, write_proxy
from lab.metrics import METRICS, measure_with_heatmaps
from lab.runs import RunFolder
from lab.runs.progress import Progress
from lab.settings import settings
from lab.stills import Still

PROXY_SIDE_PX = 360
POSTER_SIDE_PX = 240


@dataclass(frozen=True)
class Proxies:
    """The paths of a run's proxies.

    videos and posters: by take id, for takes with a clip. stills: by the still's path in the run
    folder. problems: by take id, the reason why a proxy is missing.
    """

    videos: dict[str, Path] = field(default_factory=dict)
    posters: dict[str, Path] = field(default_factory=dict)
    stills: dict[str, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def merged(self, other: "Proxies") -> "Proxies":
        """These proxies and those of another run."""
        return Proxies(
            self.videos | other.videos,
            self.posters | other.posters,
            self.stills | other.stills,
            self.problems | other.problems,
        )


@dataclass(frozen=True)
class _ProxyTask:
    """A clip and the proxies to make from it. video: None to make only the poster."""

    clip: Path
    sha256: str
    poster: Path
    video: Path | None

    @property
    def done(self) -> bool:
        return self.poster.is_file() and (self.video is None or self.video.is_file())


def poster_path(folder: RunFolder, clip_sha256: str) -> Path:
    """The path of a clip's poster, a picture of its first frame, whether or not it exists yet."""
    return _proxy_path(folder, folder.proxies, f"{clip_sha256[:16]}-{POSTER_SIDE_PX}.jpg")


def make_proxies(
    folder: RunFolder,
    takes: Iterable[Mapping[Any, Any]],
    *,
    short_side_px: int | None = PROXY_SIDE_PX,
    quiet: bool = False,
) -> Proxies:
    """Make the proxies of these takes, rows of `Results.takes`. Existing proxies are reused.

    The frames of a proxy have the same times as the frames of its clip. Its shorter side has at
    most short_side_px pixels. With None, only posters are made: pictures of the first frame. A
    missing or broken clip is listed in `problems`; the other clips are still processed.
    """
    takes = list(takes)
    tasks, problems = _proxy_tasks(folder, takes, short_side_px)
    problems |= _run_tasks(
        {take_id: task for take_id, task in tasks.items() if not task.done}, quiet=quiet
    )
    done = {take_id: task for take_id, task in tasks.items() if take_id not in problems}
    return Proxies(
        videos={take_id: task.video for take_id, task in done.items() if task.video is not None},
        posters={take_id: task.poster for take_id, task in done.items()},
        stills=_still_proxies(folder, takes),
        problems=problems,
    )


def make_heatmap_videos(results: Results, take_id: str) -> dict[str, Path]:
    """Heatmap videos of a take by headline metric. They show where in the frame a score comes from.

    They are made once and stored with the run. Making them measures the clip again, which takes
    some seconds. Raises InputError for a take without a scored clip, and ClipError if the clip
    file is missing.
    """
    record = results.record(take_id)
    take = results.takes[results.takes["take_id"] == take_id].iloc[0].to_dict()
    folder, run_take_id = results.run_of(take).folder, ledger_take_id(take_id)
    stem = f"{run_take_id}-{take['clip_sha256'][:8]}"
    videos = {
        name: _proxy_path(folder, folder.heatmaps, f"{stem}.{name}.mp4") for name in record["boxes"]
    }
    missing = [path for path in videos.values() if not path.is_file()]
    if missing:
        still = Still.open(folder.path / take["still_path"]) if take["still_path"] else None
        if still and (problem := folder.still_error(take["still_path"], take["still_sha256"])):
            raise StillError(f"{take_id}: {problem}")
        measure_with_heatmaps(folder.clip_path(run_take_id), still, METRICS, missing[0].parent)
    return {name: path for name, path in videos.items() if path.is_file()}


def _proxy_tasks(
    folder: RunFolder, takes: Iterable[Mapping[Any, Any]], short_side_px: int | None
) -> tuple[dict[str, _ProxyTask], dict[str, str]]:
    """The proxies to make, and the problems of clips that must not be read; both by take id."""
    tasks: dict[str, _ProxyTask] = {}
    problems: dict[str, str] = {}
    for take in takes:
        if not take["clip"]:
            continue
        clip = folder.path / take["clip"]
        if problem := folder.outside_error(clip):
            problems[take["take_id"]] = problem
            continue
        name = f"{take['clip_sha256'][:16]}-{short_side_px}.mp4"
        makes_video = short_side_px and not take["clip"].endswith(".png")  # PNG: a created still
        tasks[take["take_id"]] = _ProxyTask(
            clip,
            take["clip_sha256"],
            poster_path(folder, take["clip_sha256"]),
            _proxy_path(folder, folder.proxies, name) if makes_video else None,
        )
    return tasks, problems


def _run_tasks(tasks: Mapping[str, _ProxyTask], *, quiet: bool) -> dict[str, str]:
    """Make the proxies in threads; returns the failed takes with the reason."""
    if not tasks:
        return {}
    problems = {}
    # Threads are enough: decoding, resizing and encoding release the interpreter lock.
    with (
        ThreadPoolExecutor(settings().workers) as pool,
        Progress(len(tasks), "clips copied", quiet=quiet) as progress,
    ):
        futures = {pool.submit(_make_proxy, task): take_id for take_id, task in tasks.items()}
        for future in as_completed(futures):
            if problem := future.result():
                problems[futures[future]] = problem
            progress.advance()
    return problems


def _still_proxies(folder: RunFolder, takes: Iterable[Mapping[Any, Any]]) -> dict[str, Path]:
    """Small copies of the takes' stills, by path in the run folder.

    An unusable still has none; `Results.still_errors` has the reason.
    """
    stills = {take["still_path"]: take["still_sha256"] for take in takes if take["still_path"]}
    proxies = {}
    for path, sha256 in stills.items():
        name = f"still-{sha256[:16]}-{PROXY_SIDE_PX}.jpg"
        proxy = _proxy_path(folder, folder.proxies, name)
        try:
            if not proxy.is_file():
                if problem := folder.still_error(path, sha256):
                    raise StillError(problem)
                _write(proxy, poster_jpeg(open_image(folder.path / path).rgb, PROXY_SIDE_PX))
        except StillError:
            continue
        proxies[path] = proxy
    return proxies


def _proxy_path(folder: RunFolder, parent: Path, name: str) -> Path:
    """The path of a proxy, whether or not it exists yet.

    A symbolic link that leads out of the run folder is never used.
    """
    path = parent / name
    if folder.outside_error(path):
        return temporary_folder_for(parent) / name
    return path if path.is_file() else folder_or_temporary(parent) / name


def _make_proxy(task: _ProxyTask) -> str:
    """Make the missing proxies of one clip; returns the error as text, or ""."""
    try:
        # A proxy's name contains the clip's hash, so the file must have that hash.
        if task.clip.is_file() and sha256_file(task.clip) != task.sha256:
            return replaced_clip_message(task.clip, task.sha256)
        if task.video is not None and not task.video.is_file():
            short_side_px = int(task.video.stem.rpartition("-")[2])
            write_proxy(task.clip, task.video, short_side_px)
        if not task.poster.is_file():
            is_video = task.clip.suffix != ".png"
            first = next(iter(frames(task.clip))).rgb if is_video else open_image(task.clip).rgb
            _write(task.poster, poster_jpeg(first, POSTER_SIDE_PX))
    except (LabError, OSError) as error:
        return str(error)
    return ""


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as part:
        part.write_bytes(content)
