"""Scripted faults: what goes wrong, for which requests, and how often."""

import random
import threading
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from lab.emulator.replies import ERRORS
from lab.errors import InputError, did_you_mean
from lab.files import open_input_file

# kind: (the requests that it can affect, its effect).
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "rate_limited": (("create", "query", "account"), "429/1302, nothing happens"),
    "no_slot": (("create",), "429/1303, nothing happens"),
    "api_error": (("create", "query", "account"), "the error `code`, nothing happens"),
    "server_error": (("create", "query", "account"), "`code` 5000, 5001 or 5002"),
    "html_502": (("create", "query", "account"), "502 with an HTML page of a gateway"),
    "slow": (("create", "query", "account", "download"), "the reply comes `seconds` late"),
    "accept_then_drop": (("create",), "the task is created, the connection closes without a reply"),
    "drop_before": (
        ("create", "query", "account", "download"),
        "the connection closes, nothing happens",
    ),
    "duplicate_external_id": (("create",), "the task is created, the reply is 400/1201"),
    "stuck": (("create",), "the task is created and never ends"),
    "unknown_status": (("query",), "every status is replaced by `word`"),
    "lost_tasks": (("query",), "the reply is as if there were no tasks"),
    "bad_json": (("create", "query", "account"), "the reply is truncated in the middle"),
    "clock_skew": (
        ("create", "query", "account"),
        "the clock that checks tokens is `seconds` ahead",
    ),
    "cut_download": (("download",), "the connection closes after half of the file"),
    "oversize_download": (("download",), "the file is padded with zeros up to `bytes`"),
    "wrong_type_download": (("download",), "200 with an HTML page"),
    "expired_link": (("download",), "the link has expired"),
    "redirect_download": (("download",), "302 to the URL `to`"),
}
_SERVER_CODES = (5000, 5001, 5002)
_MAX_FILE_BYTES = 1_000_000
_MAX_S = 86_400.0 * 365


@dataclass(frozen=True)
class Fault:
    """One kind of fault and the requests that it affects.

    path: prefix of the affected paths. method: the affected method; "" means any. after: number of
    matching requests to skip first. every: then only every n-th matching request is affected.
    share: probability that such a request is affected. times: maximum number of affected requests;
    None is unlimited. accepted: whether the task is created although the reply is an error
    (server_error, html_502, duplicate_external_id). word: the status that replaces every
    status. seconds, code, to, bytes: parameters of some kinds, see KINDS.

    Raises InputError for an unknown kind or a value out of range.
    """

    kind: str
    times: int | None = None
    path: str = field(default="", kw_only=True)
    method: str = field(default="", kw_only=True)
    after: int = field(default=0, kw_only=True)
    every: int = field(default=1, kw_only=True)
    share: float = field(default=1.0, kw_only=True)
    accepted: bool | None = field(default=None, kw_only=True)
    seconds: float = field(default=5.0, kw_only=True)
    code: int = field(default=5000, kw_only=True)
    word: str = field(default="archived_soon", kw_only=True)
    to: str = field(default="", kw_only=True)
    bytes: int = field(default=300_000_000, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise InputError(f"fault {self.kind!r}: {did_you_mean(str(self.kind), KINDS)}")
        self._check_types()
        out_of_range = {
            "times": self.times is not None and self.times < 1,
            "after": self.after < 0,
            "every": self.every < 1,
            "share": not 0 <= self.share <= 1,
            "seconds": not abs(self.seconds) <= _MAX_S,
            "bytes": not 0 < self.bytes <= 100_000_000_000,
            "to": self.kind == "redirect_download" and not self.to.isprintable(),
        }
        for name, is_out_of_range in out_of_range.items():
            if is_out_of_range:
                raise InputError(
                    f"fault {self.kind}: {name} {getattr(self, name)!r} is out of range"
                )
        if self.kind == "redirect_download" and not self.to:
            raise InputError(f"fault {self.kind}: `to` must be the URL to redirect to")
        codes = _SERVER_CODES if self.kind == "server_error" else tuple(ERRORS)
        if self.code not in codes:
            raise InputError(
                f"fault {self.kind}: code {self.code} is unknown; "
                f"accepted: {', '.join(map(str, codes))}"
            )

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Self:
        """Build a fault from plain data, such as a table of a faults file. Raises InputError."""
        if not isinstance(data, Mapping) or "kind" not in data:
            raise InputError("a fault needs a kind; accepted: " + ", ".join(sorted(KINDS)))
        names = [each.name for each in fields(cls)]
        for name in data:
            if name not in names:
                raise InputError(
                    f"fault {data['kind']}: {name!r} is unknown; {did_you_mean(str(name), names)}"
                )
        return cls(**data)

    def to_mapping(self) -> dict[str, Any]:
        """Plain data without default values, for `from_mapping`."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in values.items() if value != defaults[name]}

    @property
    def creates_task(self) -> bool:
        """True when the task is created although the reply is an error."""
        if self.accepted is not None:
            return self.accepted
        return self.kind == "duplicate_external_id"

    def _check_types(self) -> None:
        types = {
            "times": (int, type(None)),
            "after": (int,),
            "every": (int,),
            "share": (int, float),
            "seconds": (int, float),
            "code": (int,),
            "bytes": (int,),
            "path": (str,),
            "method": (str,),
            "word": (str,),
            "to": (str,),
        }
        for name, accepted in types.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, accepted):
                raise InputError(f"fault {self.kind}: {name} cannot be {value!r}")
        if self.accepted is not None and not isinstance(self.accepted, bool):
            raise InputError(f"fault {self.kind}: accepted must be true or false")


class Faults:
    """The active faults and their counters. Safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._active: list[_ActiveFault] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Activate another fault, with the lowest priority."""
        with self._lock:
            rng = random.Random(f"{self._seed} {len(self._active)}")  # noqa: S311 - no secret
            self._active.append(_ActiveFault(fault, rng))

    def clear(self) -> None:
        """Deactivate all faults."""
        with self._lock:
            self._active.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Each fault as plain data. met, struck: the numbers of matching and affected requests."""
        with self._lock:
            return [
                {**active.fault.to_mapping(), "met": active.matched, "struck": active.applied}
                for active in self._active
            ]

    def select(self, kind: str, method: str, path: str) -> tuple[Fault | None, float]:
        """Select the fault that affects a request. Also return the clock skew in seconds.

        kind: "create", "query", "account" or "download". Only the first fault that affects
        the request is selected, and it counts the request. clock_skew faults are never selected;
        the seconds of all that affect the request are added up.
        """
        selected: Fault | None = None
        skew_s = 0.0
        with self._lock:
            for active in self._active:
                is_skew = active.fault.kind == "clock_skew"
                if (selected is None or is_skew) and active.count(kind, method, path):
                    if is_skew:
                        skew_s += active.fault.seconds
                    else:
                        selected = active.fault
        return selected, skew_s


@dataclass
class _ActiveFault:
    """An active fault and its counters of matching and of affected requests."""

    fault: Fault
    rng: random.Random
    matched: int = 0
    applied: int = 0

    def count(self, kind: str, method: str, path: str) -> bool:
        """Count a request if it matches. True if the fault affects it."""
        fault = self.fault
        if kind not in KINDS[fault.kind][0] or not path.startswith(fault.path):
            return False
        if fault.method and fault.method.upper() != method:
            return False
        if fault.times is not None and self.applied >= fault.times:
            return False
        self.matched += 1
        number = self.matched - fault.after
        if number < 1 or number % fault.every or self.rng.random() >= fault.share:
            return False
        self.applied += 1
        return True


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Read the [[fault]] tables of a TOML file. Raises InputError with the name of the file."""
    path = Path(path)
    with open_input_file(path, InputError, _MAX_FILE_BYTES) as file:
        content = file.read()
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not valid TOML ({error})") from error
    rows = document.pop("fault", [])
    if document or not isinstance(rows, list):
        extra = ", ".join(document) or "fault"
        raise InputError(f"{path}: {extra}: only [[fault]] tables are accepted")
    try:
        return tuple(Fault.from_mapping(row) for row in rows)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
