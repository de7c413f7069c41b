"""Quote the price of a take from the catalogue."""

from lab.backends.contract import Quote
from lab.backends.kling.catalogue import Catalogue
from lab.shots import Shot

_REFERENCE_S = 5.0  # the clip length for which the catalogue's latencies hold


def quote(shot: Shot, catalogue: Catalogue) -> Quote:
    """Price, waiting time in seconds, and file size of one take.

    A combination without a price is quoted at the model's highest price, so that no plan is too
    low. Waiting times were measured for 5 s of clip. Assumed: longer clips take proportionally
    longer.
    """
    settings, unit_prices, media = shot.settings, catalogue.unit_prices, catalogue.media
    basis = f"Kling's prices of {unit_prices.read_on}"
    if shot.makes == "still":
        usd = catalogue.stills.usd
        return _quote(
            usd, unit_prices.margin, catalogue.stills.latency_s, media.bytes_per_still, basis
        )
    model = catalogue.model_of(shot)
    usd_per_s = model.usd_per_s(settings.resolution, sound=settings.sound)
    usd = (usd_per_s or model.max_usd_per_s) * settings.duration_s
    latency_s = model.latency_s
    seconds = latency_s.get(settings.resolution, max(latency_s.values()))
    seconds *= max(1.0, settings.duration_s / _REFERENCE_S)
    bytes_per_s = media.bytes_per_s
    size_bytes = (
        bytes_per_s.get(settings.resolution, max(bytes_per_s.values())) * settings.duration_s
    )
    return _quote(usd, unit_prices.margin, seconds, round(size_bytes), basis)


def _quote(usd: float, margin: float, seconds: float, size_bytes: int, basis: str) -> Quote:
    return Quote(round(usd, 6), round(usd * (1 + margin), 6), seconds, size_bytes, basis)
