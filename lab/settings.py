"""The environment, read once. Every variable starts with I2VLAB_."""

import os
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lab.errors import InputError


class Settings(BaseSettings):
    """What this machine and its user decide, as opposed to what an experiment decides."""

    model_config = SettingsConfigDict(env_prefix="I2VLAB_", frozen=True)

    cache_dir: Path = Field(default_factory=lambda: user_cache_path("i2v-lab"))
    """Where weights are kept between runs."""
    data_dir: Path = Field(default_factory=lambda: user_data_path("i2v-lab"))
    """Where the index of bought takes and the registered elements are kept."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024)
    """Processes that render and score."""
    fetch_weights: bool = True
    """False: never fetch weights; use those in the cache or the stated fallback."""
    dino: str = ""
    """DINO's ViT-B/16 for the published numbers: a .pth file, or "hub" to fetch its authors'."""


@cache
def settings() -> Settings:
    """The settings of this process. Raises InputError naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "I2VLAB_" + str(first["loc"][0]).upper()
        raise InputError(f"{name}: {first['msg']}") from error
