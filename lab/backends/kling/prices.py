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
    asked, money, media = shot.settings, catalogue.money, catalogue.media
    basis = f"Kling's prices of {money.read_on}"
    if shot.makes == "still":
        usd = catalogue.stills.usd
        return _quote(usd, money.margin, catalogue.stills.latency_s, media.bytes_per_still, basis)
    model = catalogue.model_of(shot)
    usd_per_s = model.usd_per_s(asked.resolution, sound=asked.sound)
    usd = (usd_per_s or model.max_usd_per_s) * asked.duration_s
    latency_s = model.latency_s
    seconds = latency_s.get(asked.resolution, max(latency_s.values()))
    seconds *= max(1.0, asked.duration_s / _REFERENCE_S)
    bytes_per_s = media.bytes_per_s
    count = bytes_per_s.get(asked.resolution, max(bytes_per_s.values())) * asked.duration_s
    return _quote(usd, money.margin, seconds, round(count), basis)


def _quote(usd: float, margin: float, seconds: float, count: int, basis: str) -> Quote:
    return Quote(round(usd, 6), round(usd * (1 + margin), 6), seconds, count, basis)
