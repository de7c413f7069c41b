"""Whose account is used and how: the environment first, then a settings file."""

import hashlib
import ipaddress
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
from lab.backends.kling.catalogue import Protocol, catalogue
from lab.errors import AccountError, BackendError

FILE_VARIABLE = "KLING_SETTINGS"
PREFIXES = ("KLING_", "KLINGAI_")
SECRET_FIELDS = ("api_key", "access_key", "secret_key", "webhook_secret")
# Finds keys in a file that is not valid TOML: one `name = value` a line, with or without quotes.
_SECRET_LINE = re.compile(
    rf"""^\s*({"|".join(SECRET_FIELDS)})\s*=\s*["']?([^\s"'#]+)""", re.MULTILINE
)
Region = Literal["singapore", "beijing", "old"]


class Account(BaseSettings):
    """An account at Kling: keys, address, and how hard it may be worked.

    Each field is a variable KLING_<FIELD> (KLINGAI_<FIELD> is read too) or a line in the settings
    file. Keys are never shown.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIXES[0],
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    api_key: SecretStr | None = None
    """The key of the newer kind; good for both protocols."""
    access_key: SecretStr | None = None
    """With secret_key: the older kind, a pair; only for the legacy protocol."""
    secret_key: SecretStr | None = None
    region: Region = "singapore"
    """Where the account is; keys, jobs and balances belong to one region."""
    url: str | None = None
    """Another address of the service, an emulator's for one; the region does not matter then."""
    protocol: Protocol | None = None
    """new or legacy; by default new, unless there is only a key pair."""
    concurrency: int = Field(default=20, ge=1, le=1000)
    """Jobs in flight at once: what the largest resource pack allows."""
    poll_s: float = Field(default=10.0, ge=0, le=3600)
    """Seconds between two questions about the same jobs."""
    media_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """More hosts that clips may be fetched from, with all below them; separated by commas."""
    callback_url: str | None = Field(default=None, repr=False)
    """Where the service shall post news of a job."""
    callback_port: int | None = Field(default=None, ge=0, le=65535)
    """Port on 127.0.0.1 where such news is listened for; 0 for any free one."""
    webhook_secret: SecretStr | None = None
    """whsec_...: what news of a job is signed with."""
    settle_s: float = Field(default=2.0, ge=0, le=600)
    """Seconds after which a job that was not found is looked up once more, before it is believed
    that it never arrived."""
    wait_s: float = Field(default=10_800.0, gt=0)
    """How long one run should wait for one job, in seconds."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file."""
        other = EnvSettingsSource(settings_cls, env_prefix=PREFIXES[1])
        file = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        return init_settings, env_settings, other, file

    @field_validator(*SECRET_FIELDS, mode="before")
    @classmethod
    def _plain_key(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str):
            return value
        text = text.strip()
        if not re.fullmatch(r"[!-~]+", text):
            raise ValueError("a key is letters, digits and signs without blanks; copy it again")
        return SecretStr(text)

    @field_validator("media_hosts", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
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
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        said = "expected https://host, or http://127.0.0.1:port for an emulator on this machine"
        try:
            parts = urlsplit(value.strip())
            port = parts.port
        except ValueError:
            raise ValueError(said) from None
        host = parts.hostname or ""
        plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
        if not host or not plain or parts.scheme not in ("https", "http"):
            raise ValueError(said)
        # A key in the clear is read by everybody on the way.
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError(said)
        named = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{named}" + (f":{port}" if port else "")

    @field_validator("callback_url")
    @classmethod
    def _reachable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[!-~]+", value):
            raise ValueError("expected the address of a page, https://...")
        return value

    @classmethod
    def load(cls) -> Self:
        """The account of this process. Raises BackendError naming the variable that is wrong."""
        file = settings_file()
        _warn_if_shared(file)
        try:
            return cls()
        except ValidationError as error:
            # Not chained: pydantic's own error keeps what was typed, which may be a key.
            first = error.errors(include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "settings"
            said = f"KLING_{name.upper()} (or {name} in {file}): {_reason(first['msg'])}"
        except tomllib.TOMLDecodeError as error:
            said = f"{file}: no TOML ({error}); expected lines like api_key = '...'"
        except (OSError, UnicodeDecodeError, ValueError) as error:
            said = f"{file}: cannot be read ({type(error).__name__})"
        raise BackendError(said)

    @property
    def origin(self) -> str:
        """The address of the service: scheme, host and, where it is not the usual one, port."""
        return self.url or catalogue().regions[self.region]

    @property
    def on_loopback(self) -> bool:
        """The service is a program on this machine."""
        return is_loopback(urlsplit(self.origin).hostname or "")

    @property
    def speaks(self) -> Protocol:
        """The protocol that jobs are ordered in."""
        if self.protocol is not None:
            return self.protocol
        return "new" if self.api_key is not None or not self.has_pair else "legacy"

    @property
    def has_pair(self) -> bool:
        """Both halves of a key pair are there."""
        return self.access_key is not None and self.secret_key is not None

    def can_speak(self, protocol: Protocol) -> bool:
        """There is a key that this protocol takes (a pair on the new one is unconfirmed)."""
        return self.api_key is not None or (protocol == "legacy" and self.has_pair)

    def need(self, protocol: Protocol) -> None:
        """Raises AccountError, saying where a key is to be put, when there is none for it."""
        if self.can_speak(protocol):
            return
        file = settings_file()
        if self.has_pair:
            raise AccountError(
                "kling: the new protocol takes an API key, and there is only a key pair; set "
                f"KLING_API_KEY (or api_key in {file}), or KLING_PROTOCOL=legacy"
            )
        raise AccountError(
            "kling: no key; set KLING_API_KEY, or KLING_ACCESS_KEY and KLING_SECRET_KEY, in the "
            f"environment, or api_key in {file}"
        )

    @property
    def fingerprint(self) -> str:
        """Tells one key from another without giving it away; "" when there is none."""
        key = self.api_key or self.access_key
        if key is None:
            return ""
        # Keys are long and random, so that their hash cannot be guessed backwards.
        return hashlib.sha256(b"i2v-lab " + key.get_secret_value().encode()).hexdigest()[:12]

    def secrets(self) -> tuple[str, ...]:
        """Every text that must not be shown."""
        values: list[SecretStr | None] = [getattr(self, name) for name in SECRET_FIELDS]
        return tuple(value.get_secret_value() for value in values if value is not None)


def settings_file() -> Path:
    """The settings file that is read, whether it exists or not."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named).expanduser() if named else user_config_path("i2v-lab") / "kling.toml"


def given_settings() -> tuple[Setting, ...]:
    """Every setting that was given, and where; of several of one name the first one counts."""
    file = settings_file()
    try:
        lines = set(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        lines = set()
    variables = {name.upper(): value for name, value in os.environ.items()}
    found = [Setting(FILE_VARIABLE, "the environment")] if variables.get(FILE_VARIABLE) else []
    for field in Account.model_fields:
        names = [f"{prefix}{field.upper()}" for prefix in PREFIXES]
        given = [(name, "the environment") for name in names if variables.get(name)]
        given += [(field, str(file))] if field in lines else []
        found += [Setting(*each, used=not index) for index, each in enumerate(given)]
    return tuple(found)


def configured_secrets() -> tuple[Secret, ...]:
    """Every key in the environment and the settings file: used or not, valid or not.

    Reads the file even where it is not valid TOML. Raises nothing.
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
    except (OSError, ValueError, RuntimeError):  # RuntimeError: the path's ~ has no home folder
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


def is_loopback(host: str) -> bool:
    """This host is this machine, by its name or its address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())


def _warn_if_shared(file: Path) -> None:
    if os.name != "posix":
        return
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        warnings.warn(f"{file}: others can read your key; run chmod 600 {file}", stacklevel=3)
