"""Read the settings of a Kling account from the environment and a settings file."""

import hashlib
import os
import re
import stat
import tomllib
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_config_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from lab.backends.contract import Secret, Setting
from lab.backends.kling.catalogue import Protocol, load_catalogue
from lab.errors import AccountError, BackendError
from lab.loopback import is_loopback, is_loopback_url

FILE_VARIABLE = "KLING_SETTINGS"
PREFIXES = ("KLING_", "KLINGAI_")
SECRET_FIELDS = ("api_key", "access_key", "secret_key", "webhook_secret")
# A secret in a file that is not valid TOML: a line `name = value`, with or without quotes.
_SECRET_LINE = re.compile(
    rf"""^\s*({"|".join(SECRET_FIELDS)})\s*=\s*["']?([^\s"'#]+)""", re.MULTILINE
)
Region = Literal["singapore", "beijing", "old"]


class Account(BaseSettings):
    """An account at Kling: its keys, its address and its limits.

    A field is set by the environment variable KLING_<FIELD>, by KLINGAI_<FIELD> or in the settings
    file, in this order of precedence. Keys are never shown.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIXES[0],
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    api_key: SecretStr | None = None
    """The newer kind of key. It works for both protocols."""
    access_key: SecretStr | None = None
    """The older kind: a key pair with secret_key. It works for the legacy protocol only."""
    secret_key: SecretStr | None = None
    region: Region = "singapore"
    """The region of the account, or "old" for the service's old host name.

    Keys, jobs and balances belong to one region.
    """
    url: str | None = None
    """The address to use instead of the region's, for example that of an emulator."""
    protocol: Protocol | None = None
    """new or legacy. The default is new, or legacy if only a key pair is set."""
    concurrency: int = Field(default=20, ge=1, le=1000)
    """How many jobs may run at once. The default is what the largest resource pack allows."""
    poll_s: float = Field(default=10.0, ge=0, le=3600)
    """Seconds between two queries about the same jobs."""
    media_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Additional hosts, with their subdomains, from which clips may be fetched; comma-separated."""
    callback_url: str | None = Field(default=None, repr=False)
    """The public URL to which the service posts callbacks about jobs."""
    callback_port: int | None = Field(default=None, ge=0, le=65535)
    """The port on 127.0.0.1 that receives callbacks; 0 for any free port."""
    webhook_secret: SecretStr | None = None
    """The secret that signs callbacks: whsec_..."""
    settle_s: float = Field(default=2.0, ge=0, le=600)
    """Seconds before the second look-up of a job that was not found. A job that both look-ups
    miss counts as never submitted."""
    wait_s: float = Field(default=10_800.0, gt=0)
    """How many seconds one run waits for one job."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment takes precedence over the settings file."""
        other = EnvSettingsSource(settings_cls, env_prefix=PREFIXES[1])
        file = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        return init_settings, env_settings, other, file

    @field_validator(*SECRET_FIELDS, mode="before")
    @classmethod
    def _check_key(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str):
            return value
        text = text.strip()
        if not re.fullmatch(r"[!-~]+", text):
            raise ValueError(
                "expected ASCII letters, digits and punctuation without spaces; copy the key again"
            )
        return SecretStr(text)

    @field_validator("media_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: Any) -> Any:
        hosts = value.split(",") if isinstance(value, str) else value
        if not isinstance(hosts, list | tuple):
            return value
        hosts = tuple(str(host).strip().lower().removeprefix(".") for host in hosts)
        hosts = tuple(host for host in hosts if host)
        if not all(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) for host in hosts):
            raise ValueError("expected host names like cdn.example.com, separated by commas")
        return hosts

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        expected = "expected https://host, or http://127.0.0.1:port for an emulator on this machine"
        try:
            parts = urlsplit(value.strip())
            port = parts.port
        except ValueError:
            raise ValueError(expected) from None
        host = parts.hostname or ""
        bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
        if not host or not bare or parts.scheme not in ("https", "http"):
            raise ValueError(expected)
        # Without TLS, everybody on the network path could read the key.
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError(expected)
        bracketed = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{bracketed}" + (f":{port}" if port else "")

    @field_validator("callback_url")
    @classmethod
    def _check_callback_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[!-~]+", value):
            raise ValueError("expected a URL, https://...")
        return value

    @classmethod
    def load(cls) -> Self:
        """The account of this process. Raises BackendError with the name of an invalid variable."""
        file = settings_file()
        _warn_if_readable_by_others(file)
        try:
            return cls()
        except ValidationError as error:
            # Not chained: pydantic's error contains the value, which may be a key.
            first = error.errors(include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "settings"
            message = f"KLING_{name.upper()} (or {name} in {file}): {_reason(first['msg'])}"
        except tomllib.TOMLDecodeError as error:
            message = f"{file}: is not valid TOML ({error}); expected lines like api_key = '...'"
        except (OSError, UnicodeDecodeError, ValueError) as error:
            message = f"{file}: cannot be read ({type(error).__name__})"
        raise BackendError(message)

    @property
    def origin(self) -> str:
        """The address of the service: scheme, host and, if it is not the default, port."""
        return self.url or load_catalogue().regions[self.region]

    @property
    def on_loopback(self) -> bool:
        """True if the service runs on this machine."""
        return is_loopback_url(self.origin)

    @property
    def submit_protocol(self) -> Protocol:
        """The protocol in which jobs are submitted."""
        if self.protocol is not None:
            return self.protocol
        return "new" if self.api_key is not None or not self.has_key_pair else "legacy"

    @property
    def has_key_pair(self) -> bool:
        """True if both keys of a key pair are set."""
        return self.access_key is not None and self.secret_key is not None

    def has_key_for(self, protocol: Protocol) -> bool:
        """True if a key for this protocol is set.

        A key pair counts for the legacy protocol only.
        """
        return self.api_key is not None or (protocol == "legacy" and self.has_key_pair)

    def require_key(self, protocol: Protocol) -> None:
        """Raise AccountError, with the settings to fill, if no key for this protocol is set."""
        if self.has_key_for(protocol):
            return
        file = settings_file()
        if self.has_key_pair:
            raise AccountError(
                "kling: the new protocol needs an API key, but only a key pair is set; set "
                f"KLING_API_KEY (or api_key in {file}), or KLING_PROTOCOL=legacy"
            )
        raise AccountError(
            "kling: no key; set KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY, in the "
            f"environment, or api_key in {file}"
        )

    @property
    def fingerprint(self) -> str:
        """A short hash that identifies the key without revealing it; "" if there is none."""
        key = self.api_key or self.access_key
        if key is None:
            return ""
        # Keys are long and random, so a hash cannot be reversed by brute force.
        return hashlib.sha256(b"i2v-lab " + key.get_secret_value().encode()).hexdigest()[:12]

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be shown."""
        values: list[SecretStr | None] = [getattr(self, name) for name in SECRET_FIELDS]
        return tuple(value.get_secret_value() for value in values if value is not None)


def settings_file() -> Path:
    """The path of the settings file. The file need not exist."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named).expanduser() if named else user_config_path("i2v-lab") / "kling.toml"


def configured_settings() -> tuple[Setting, ...]:
    """Every setting that has a value, and its source.

    If a field has several, only the first is used.
    """
    file = settings_file()
    try:
        in_file = set(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        in_file = set()
    variables = {name.upper(): value for name, value in os.environ.items()}
    settings = [Setting(FILE_VARIABLE, "the environment")] if variables.get(FILE_VARIABLE) else []
    for field in Account.model_fields:
        names = [f"{prefix}{field.upper()}" for prefix in PREFIXES]
        given = [(name, "the environment") for name in names if variables.get(name)]
        given += [(field, str(file))] if field in in_file else []
        settings += [Setting(*each, used=not index) for index, each in enumerate(given)]
    return tuple(settings)


def configured_secrets() -> tuple[Secret, ...]:
    """Every secret in the environment and the settings file, even if it is unused or invalid.

    Also reads a file that is not valid TOML. Raises nothing.
    """
    variables = {f"{prefix}{name.upper()}" for prefix in PREFIXES for name in SECRET_FIELDS}
    secrets = [
        Secret(name, value)
        for name, value in os.environ.items()
        if name.upper() in variables and value.strip()
    ]
    try:
        file = settings_file()
        text = file.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError, RuntimeError):  # RuntimeError: ~ names an unknown user
        return tuple(secrets)
    try:
        entries = [entry for entry in tomllib.loads(text).items() if entry[0] in SECRET_FIELDS]
    except tomllib.TOMLDecodeError:
        entries = _SECRET_LINE.findall(text)
    secrets += [
        Secret(f"{PREFIXES[0]}{name.upper()} ({name} in {file.name})", value)
        for name, value in entries
        if isinstance(value, str) and value.strip()
    ]
    return tuple(secrets)


def _reason(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())


def _warn_if_readable_by_others(file: Path) -> None:
    if os.name != "posix":
        return
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        warnings.warn(f"{file}: others can read your key; run chmod 600 {file}", stacklevel=3)
