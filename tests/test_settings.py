"""Settings are read from the environment, once."""

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.settings import settings

pytestmark = pytest.mark.usefixtures("fresh_settings")


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable sets its setting."""
    monkeypatch.setenv("I2VLAB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("I2VLAB_WORKERS", "3")
    monkeypatch.setenv("I2VLAB_FETCH_WEIGHTS", "no")
    found = settings()
    assert (found.cache_dir, found.workers, found.fetch_weights) == (tmp_path, 3, False)


def test_without_variables_there_are_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without variables, the settings have their defaults."""
    for name in ("CACHE_DIR", "WORKERS", "FETCH_WEIGHTS"):
        monkeypatch.delenv(f"I2VLAB_{name}", raising=False)
    found = settings()
    assert found.workers >= 1
    assert found.fetch_weights
    assert found.cache_dir.name == "i2v-lab"


@pytest.mark.parametrize(
    ("name", "value"),
    [("I2VLAB_WORKERS", "0"), ("I2VLAB_WORKERS", "many"), ("I2VLAB_FETCH_WEIGHTS", "perhaps")],
)
def test_a_wrong_variable_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid variable is refused in one line with its name."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"^{name}: ") as refused:
        settings()
    assert "\n" not in str(refused.value)


def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that changes later has no effect."""
    monkeypatch.setenv("I2VLAB_WORKERS", "2")
    assert settings().workers == 2
    monkeypatch.setenv("I2VLAB_WORKERS", "5")
    assert settings().workers == 2
