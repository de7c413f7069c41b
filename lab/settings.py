"""Reads the settings from environment variables, all of which start with I2VLAB_."""

import os
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lab.errors import InputError


class Settings(BaseSettings):
    """The settings of this machine and user. An experiment has its own in its sweep."""

    model_config = SettingsConfigDict(env_prefix="I2VLAB_", frozen=True)

    cache_dir: Path = Field(default_factory=lambda: user_cache_path("i2v-lab"))
    """The folder of downloaded model weights."""
    data_dir: Path = Field(default_factory=lambda: user_data_path("i2v-lab"))
    """The folder of the purchase index and the element store."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024)
    """The number of processes that render and score."""
    fetch_weights: bool = True
    """False: never download weights; use the cache or a stated fallback."""
    dino: str = ""
    """DINO's ViT-B/16, for published metrics: a .pth file, or "hub" for its authors' download."""


@cache
def settings() -> Settings:
    """The settings of this process. Raises InputError naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "I2VLAB_" + str(first["loc"][0]).upper()
        raise InputError(f"{name}: {first['msg']}") from error
