"""One table describes all models; a new model is a new row, and a wrong row is reported."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.backends.kling import KlingBackend, load_catalogue
from lab.backends.kling.capabilities import capabilities_of
from lab.backends.kling.catalogue import TABLE
from lab.errors import BackendError
from lab.takes import Take

# What Comfy's router documents said of it in October 2026.
NEWER = """
[models."kling-4.0"]
new_paths = { image = "/image-to-video/kling-4.0", text = "/text-to-video/kling-4.0" }
durations_s = { low = 3, high = 30 }
resolutions = ["720p", "1080p"]
multi_shot = true
elements = { from_still = 5 }
prompt_chars = 11000
fields = ["multi_shot", "sound"]
silent_usd_per_s = { "720p" = 0.1, "1080p" = 0.2 }
sound_usd_per_s = { "720p" = 0.15, "1080p" = 0.3 }
latency_s = { "720p" = 100, "1080p" = 200 }
"""


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """The table with one text replaced or some text added."""

    def write(old: str = "", new: str = "", added: str = "") -> Path:
        text = TABLE.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "catalogue.toml"
        path.write_text((text.replace(old, new, 1) if old else text) + added, encoding="utf-8")
        return path

    return write


class TestShipped:
    """The table of the project."""

    def test_every_model_is_there(self) -> None:
        """All five models, with their names in each protocol that has them."""
        legacy = {name: model.legacy for name, model in load_catalogue().models.items()}
        assert legacy == {
            "kling-3.0": "kling-v3",
            "kling-3.0-turbo": None,
            "kling-3.0-omni": "kling-v3-omni",
            "kling-2.6": "kling-v2-6",
            "kling-2.5-turbo": "kling-v2-5-turbo",
        }

    def test_prices_are_whole_tenths_of_units(self) -> None:
        """Prices in USD per second match whole tenths of the service's units."""
        worth = load_catalogue().unit_prices.usd_per_video_unit
        for model in load_catalogue().models.values():
            for price in (*model.silent_usd_per_s.values(), *model.sound_usd_per_s.values()):
                assert price / worth * 10 == pytest.approx(round(price / worth * 10))

    def test_hosts_are_https(self) -> None:
        """Keys are never sent without encryption."""
        assert all(host.startswith("https://") for host in load_catalogue().regions.values())

    def test_limits_say_where_they_stand(self) -> None:
        """Each part has a source page and a date."""
        catalogue = load_catalogue()
        parts = (
            catalogue.unit_prices,
            catalogue.limits,
            *catalogue.protocols.values(),
            *catalogue.rejected_settings,
        )
        assert all(part.source.startswith("https://kling.ai/") for part in parts)
        assert all(part.read_on.year == 2026 for part in parts)


class TestNewModel:
    """A new model needs only a new row."""

    def test_a_row_is_all_it_takes(
        self,
        service: object,
        backend_of: Callable[..., KlingBackend],
        take_with: Callable[..., Take],
        edited: Callable[..., Path],
    ) -> None:
        """With the row, the model is offered, its limits hold and takes can be submitted."""
        catalogue = load_catalogue(edited(added=NEWER))
        backend = backend_of(catalogue=catalogue)
        service.script(service.reply.data({"id": "1", "status": "submitted"}))  # type: ignore[attr-defined]
        (option,) = backend.capabilities.options
        assert "kling-4.0" in option.choices
        assert backend.capabilities.duration_s == (3, 30)
        take = take_with(model="kling-4.0", duration_s=30)
        assert not [item for item in backend.limits(take.shot) if item.blocking]
        assert backend.submit(take, "k").data["model"] == "kling-4.0"
        (received,) = service.requests  # type: ignore[attr-defined]
        assert received.path == "/image-to-video/kling-4.0"
        assert received.json["settings"]["duration"] == 30
        assert backend.quote(take.shot).low_usd == pytest.approx(3.0)

    def test_older_models_keep_their_limits(
        self, edited: Callable[..., Path], take_with: Callable[..., Take]
    ) -> None:
        """Other models still reject what only the new model can do."""
        backend = KlingBackend(catalogue=load_catalogue(edited(added=NEWER)))
        (item,) = [each for each in backend.limits(take_with(duration_s=30).shot) if each.blocking]
        assert item.setting == "duration_s"

    def test_capabilities_need_no_code(self, edited: Callable[..., Path]) -> None:
        """Capabilities are derived from the table."""
        assert capabilities_of(load_catalogue(edited(added=NEWER))).duration_s[1] == 30


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (
            'durations_s = { low = 3, high = 15 }\nresolutions = ["720p", "1080p"]\nsound',
            "sound",
            "3.0-turbo",
        ),
        (
            ', "1080p" = 0.14 }\nlatency_s = { "720p" = 50',
            ' }\nlatency_s = { "720p" = 50',
            "3.0-turbo",
        ),
        (
            'silent_usd_per_s = { "720p" = 0.084',
            'silent_usd_per_s = { "720p" = -1',
            "kling-3.0.silent_usd_per_s.720p",
        ),
        (
            'silent_usd_per_s = { "720p" = 0.084',
            'silent_usd_per_s = { "721p" = 0.084',
            "kling-3.0.silent_usd_per_s.721p",
        ),
        ("margin = 0.10", "margin = 10", "unit_prices.margin"),
        ("elements = {", "element = {", "element"),
        ("https://api-singapore", "http://api-singapore", "regions.singapore"),
        ('legacy = "kling-v3"\n', "", "legacy"),
        ('fields = ["sound"]', 'fields = ["multi_shot", "sound"]', "kling-2.6"),
        ('fields = ["sound"]\n', "", "kling-2.6"),
        ('"/image-to-video/kling-3.0"', '"https://else.where/"', "new_paths.image"),
        ('[models."kling-3.0"]', '[models."kling-3"]', "default model kling-3.0"),
        ("[unit_prices]", "[unit_prices", "not valid TOML"),
    ],
)
def test_a_broken_table_is_found(
    edited: Callable[..., Path], old: str, new: str, names: str
) -> None:
    """A mistake in the table is reported in one line that names the entry."""
    path = edited(old, new)
    with pytest.raises(BackendError) as error:
        load_catalogue(path)
    assert str(path) in str(error.value)
    assert names in str(error.value)
    assert "\n" not in str(error.value)
