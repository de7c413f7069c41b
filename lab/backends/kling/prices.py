"""What a take is expected to cost, by Kling's own table of prices."""

from lab.backends.contract import Quote
from lab.backends.kling.catalogue import Catalogue
from lab.shots import Shot

_MEASURED_S = 5.0


def quote(shot: Shot, catalogue: Catalogue) -> Quote:
    """Price, seconds until it is there, and bytes of one take.

    What is not sold is quoted at the model's highest price, so that no plan is too cheap. Seconds
    are those seen for 5 s of clip; that longer ones take longer in proportion is assumed.
    """
    asked, money, media = shot.settings, catalogue.money, catalogue.media
    basis = f"Kling's prices of {money.read_on}"
    if shot.makes == "still":
        usd = catalogue.stills.usd
        return _quote(usd, money.margin, catalogue.stills.latency_s, media.bytes_per_still, basis)
    model = catalogue.model_of(shot)
    each = model.usd_per_s(asked.resolution, sound=asked.sound)
    usd = (each or model.dearest_usd_per_s) * asked.duration_s
    latency_s = model.latency_s
    seconds = latency_s.get(asked.resolution, max(latency_s.values()))
    seconds *= max(1.0, asked.duration_s / _MEASURED_S)
    bytes_per_s = media.bytes_per_s
    count = bytes_per_s.get(asked.resolution, max(bytes_per_s.values())) * asked.duration_s
    return _quote(usd, money.margin, seconds, round(count), basis)


def _quote(usd: float, margin: float, seconds: float, count: int, basis: str) -> Quote:
    return Quote(round(usd, 6), round(usd * (1 + margin), 6), seconds, count, basis)
