"""Derive the backend's capabilities from the catalogue."""

from lab.backends.contract import Capabilities, Option
from lab.backends.kling.catalogue import DEFAULT_MODEL, Catalogue
from lab.units import RATIOS, SHORT_SIDE_PX


def capabilities_of(
    catalogue: Catalogue,
    *,
    concurrency: int = 20,
    poll_every_s: float = 10.0,
    job_wait_s: float = 3 * 3600.0,
) -> Capabilities:
    """The union of what all models can do.

    The module `limits` refuses what the chosen model cannot do.
    """
    models = catalogue.models.values()
    resolutions = {name for model in models for name in model.resolutions}
    low, high = catalogue.duration_range_s
    return Capabilities(
        duration_s=(float(low), float(high)),
        duration_step_s=1.0,
        aspect_ratios=tuple(RATIOS),
        resolutions=tuple(name for name in SHORT_SIDE_PX if name in resolutions),
        # Kling's page on the omni models says 24 fps. Some clips had 30, so
        # `check_fetched_file` reads the fps of each file.
        fps=(24.0,),
        seed=False,
        end_frame=any(model.last_frame for model in models),
        elements=any(model.elements.from_still for model in models),
        registers_elements=True,
        multi_shot=any(model.multi_shot for model in models),
        sound=any(model.sound_usd_per_s for model in models),
        text_to_video=any(model.new_paths.text for model in models),
        creates_stills=True,
        lookup=True,
        cancel=False,
        concurrency=concurrency,
        poll_every_s=poll_every_s,
        job_wait_s=job_wait_s,
        options=(
            Option(
                name="model",
                default=DEFAULT_MODEL,
                description="which of Kling's models makes the clip",
                choices=tuple(catalogue.models),
            ),
        ),
        rejected_settings=tuple(
            (name, f"{row.advice} ({row.source}, {row.read_on})")
            for row in catalogue.rejected_settings
            for name in row.names
        ),
    )
