"""Render takes on this machine from the terms of their prompts.

No model is involved, and every clip is marked as simulated.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.backends.contract import (
    Capabilities,
    FetchResult,
    Job,
    JobState,
    JobStatus,
    Lookup,
    Option,
    Quote,
    Secret,
    Unsupported,
)
from lab.backends.offline.defects import defects_of
from lab.clips import SIMULATED_MARK
from lab.errors import BackendError
from lab.media import write_clip
from lab.render import Motion, Scene, render
from lab.shots import Shot
from lab.takes import Take
from lab.units import RATIOS, SHORT_SIDE_PX
from lab.vision import subject_mask

# Measured on two slow cores. Used only to estimate how long a plan takes.
_SECONDS_PER_MEGAPIXEL = 0.05
_BYTES_PER_MEGAPIXEL = 25_000


class OfflineBackend:
    """Animates a still. Subject and background are separate layers in front of a virtual camera.

    The job contains the whole take, and `fetch` renders it. So any process can continue a job, and
    a second rendering gives the same pixels. Costs nothing.
    """

    name = "offline"
    origin = "offline"
    account = ""
    capabilities = Capabilities(
        duration_s=(0.1, 15.0),
        duration_step_s=None,
        aspect_ratios=tuple(RATIOS),
        resolutions=tuple(SHORT_SIDE_PX),
        fps=(24.0, 25.0, 30.0, 60.0),
        seed=True,
        lookup=True,
        simulated=True,
        renders_locally=True,
        concurrency=1000,
        poll_every_s=0.0,
        options=(
            Option(
                name="flaws",
                default=1.0,
                description="how strong the defects are that imitate those of real models; "
                "0 is none",
                low=0.0,
                high=3.0,
            ),
        ),
    )

    @classmethod
    def secrets(cls) -> tuple[Secret, ...]:
        """Always empty: this backend has no settings."""
        return ()

    def quote(self, shot: Shot) -> Quote:
        """Costs are 0. Time and disk space are proportional to the number of pixels."""
        width, height = shot.settings.size_px
        megapixels = width * height * shot.settings.frames / 1e6
        return Quote(
            low_usd=0.0,
            high_usd=0.0,
            seconds=_SECONDS_PER_MEGAPIXEL * megapixels,
            bytes=round(_BYTES_PER_MEGAPIXEL * megapixels),
        )

    def limits(self, shot: Shot) -> tuple[Unsupported, ...]:
        """Terms that are not rendered: moods, some camera moves, and actions of the subject."""
        moods = [
            Unsupported("mood", term.name, "a mood changes nothing in a local render")
            for term in shot.prompt.of_kind("mood")
        ]
        moves = [
            Unsupported("camera", term.name, "a local render has no path for this move")
            for term in shot.prompt.of_kind("camera")
            if term.camera is None
        ]
        actions = [
            Unsupported("subject", term.name, "a local render cannot make the subject act")
            for term in shot.prompt.of_kind("subject")
            if term.ambient is None
        ]
        return (*moves, *actions, *moods)

    def prepare(self) -> None:
        """Do nothing."""

    def submit(self, take: Take, external_id: str) -> Job:
        """Send nothing: the job contains the take."""
        return Job(self.name, f"offline-{take.id}", take.id, {"take": take.to_json()})

    def lookup(self, take: Take, external_id: str) -> Lookup:
        """Always finds the job, because `submit` is a pure function."""
        return self.submit(take, external_id)

    def adopt(self, take: Take, job_id: str) -> Job:
        """The job that `submit` returns. job_id is ignored, because the job contains the take."""
        return self.submit(take, job_id)

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """Every job is done: it can be rendered at any time."""
        return {job.id: JobStatus(JobState.DONE, cost_usd=0.0) for job in jobs}

    def pause(self, seconds: float) -> None:
        """Return at once: no job is ever waiting."""

    def fetch(self, job: Job, path: Path) -> FetchResult:
        """Render the take."""
        take = Take.from_json(job.data["take"])
        shot, settings = take.shot, take.shot.settings
        if shot.still is None:
            raise BackendError("backend offline: it animates a still, but this take has none")
        seed = int.from_bytes(hashlib.sha256(take.noise_seed.encode()).digest()[:6])
        rgb = shot.still.rgb()
        mask = subject_mask(rgb)
        scene = Scene.from_still(
            rgb, mask, aspect_ratio=settings.aspect_ratio, resolution=settings.resolution
        )
        strength = float(settings.option("flaws", 1.0))
        rendered = render(
            scene,
            Motion.from_prompt(shot.prompt),
            frames=settings.frames,
            fps=settings.fps,
            seed=seed,
            defects=defects_of(shot, strength, seed),
        )
        write_clip(
            path,
            (frame.rgb for frame in rendered),
            fps=settings.fps,
            comment=f"{SIMULATED_MARK} offline renderer, flaws {strength:g}",
        )
        skipped = {item.value: item.reason for item in self.limits(shot)}
        notes = ["simulated: rendered locally, no model involved"]
        if not mask.measured:
            notes.append(f"subject layer is the {mask.source}: {mask.note}")
        return FetchResult(
            honoured=tuple(name for name in shot.prompt.terms if name not in skipped),
            not_honoured=tuple(skipped.items()),
            notes=tuple(notes),
        )

    def close(self) -> None:
        """Do nothing: there is no connection to close."""
