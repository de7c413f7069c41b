"""How the scores lie by each factor that was varied."""

from lab.analysis import by_factor
from lab.report.blocks import Prose, Section, picture
from lab.report.source import Source


def factors(source: Source) -> Section | None:
    """A plot per varied factor; nothing when nothing was varied."""
    varied = source.results.varied
    if not varied:
        return None
    blocks = [
        picture(
            by_factor(source.results, name),
            alt=f"Dots: flicker, drift, warp and motion of every take by {name}; bars: medians.",
            caption=f"By {name}. A dot is a take, the bar is the median.",
        )
        for name in varied
    ]
    return Section("By factor", [Prose("Descriptive: no test of a difference is made."), *blocks])
