"""Trouble on request: what goes wrong, for which requests, and how often."""

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

# kind: the requests that it can happen to, and what it does.
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "rate_limited": (("create", "query", "account"), "429/1302, nothing happens"),
    "no_slot": (("create",), "429/1303, nothing happens"),
    "api_error": (("create", "query", "account"), "the error `code`, nothing happens"),
    "server_error": (("create", "query", "account"), "`code` 5000, 5001 or 5002"),
    "html_502": (("create", "query", "account"), "502 with an HTML page of a gateway"),
    "slow": (("create", "query", "account", "download"), "the reply comes `seconds` late"),
    "accept_then_drop": (("create",), "the task is made, the connection closes without a reply"),
    "drop_before": (
        ("create", "query", "account", "download"),
        "the connection closes, nothing happens",
    ),
    "duplicate_external_id": (("create",), "the task is made, the reply is 400/1201"),
    "stuck": (("create",), "the task is made and never ends"),
    "unknown_status": (("query",), "every status is called `word`"),
    "lost_tasks": (("query",), "as if no task were there"),
    "bad_json": (("create", "query", "account"), "the reply breaks off in the middle"),
    "clock_skew": (
        ("create", "query", "account"),
        "the server's clock is `seconds` ahead when it checks a token",
    ),
    "cut_download": (("download",), "the connection closes after half of the clip"),
    "oversize_download": (("download",), "the clip is followed by zeros up to `bytes`"),
    "wrong_type_download": (("download",), "200 with an HTML page"),
    "expired_link": (("download",), "the link has expired"),
    "redirect_download": (("download",), "302 to the address `to`"),
}
_SERVER_CODES = (5000, 5001, 5002)
_MOST_FILE_BYTES = 1_000_000
_LONGEST_S = 86_400.0 * 365


@dataclass(frozen=True)
class Fault:
    """One kind of trouble and whom it meets.

    path: only requests whose path starts so. method: only that method. after: the first so many
    matching requests are spared; then every `every`-th is met, with probability `share`, at most
    `times` times (None: for ever). accepted: whether the task is made although the reply is an
    error (server_error, html_502, duplicate_external_id). seconds, code, word, to and bytes are
    what the kinds name. Raises InputError for what makes no sense.
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
        if self.kind not in KINDS:
            raise InputError(f"fault {self.kind!r}: {did_you_mean(str(self.kind), KINDS)}")
        self._check_types()
        wrong = {
            "times": self.times is not None and self.times < 1,
            "after": self.after < 0,
            "every": self.every < 1,
            "share": not 0 <= self.share <= 1,
            "seconds": not abs(self.seconds) <= _LONGEST_S,
            "bytes": not 0 < self.bytes <= 100_000_000_000,
            "to": self.kind == "redirect_download" and not self.to.isprintable(),
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise InputError(f"fault {self.kind}: {name} {getattr(self, name)!r} is no use")
        if self.kind == "redirect_download" and not self.to:
            raise InputError(f"fault {self.kind}: `to` must name the address it leads to")
        codes = _SERVER_CODES if self.kind == "server_error" else tuple(ERRORS)
        if self.code not in codes:
            raise InputError(
                f"fault {self.kind}: code {self.code} is unknown; "
                f"accepted: {', '.join(map(str, codes))}"
            )

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Self:
        """A fault from plain data, such as a row of a faults file. Raises InputError."""
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
        """Plain data without what is left at its default; `from_mapping` reads it."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        usual = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in told.items() if value != usual[name]}

    @property
    def makes_the_task(self) -> bool:
        """Whether the request is carried out before the reply goes wrong."""
        if self.accepted is not None:
            return self.accepted
        return self.kind == "duplicate_external_id"

    def _check_types(self) -> None:
        accepted = {
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
        for name, kinds in accepted.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise InputError(f"fault {self.kind}: {name} cannot be {value!r}")
        if self.accepted is not None and not isinstance(self.accepted, bool):
            raise InputError(f"fault {self.kind}: accepted must be true or false")


class Faults:
    """The faults in force, and how often each has struck. Safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._rows: list[_Row] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Put one more in force, after the others."""
        with self._lock:
            luck = random.Random(f"{self._seed} {len(self._rows)}")  # noqa: S311 - no secret
            self._rows.append(_Row(fault, luck))

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._rows.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Each fault as plain data, with how often it was met and struck."""
        with self._lock:
            return [
                {**row.fault.to_mapping(), "met": row.met, "struck": row.struck}
                for row in self._rows
            ]

    def striking(self, kind: str, method: str, path: str) -> tuple[Fault | None, float]:
        """The fault that strikes a request, if any, and by how many seconds the clock is off.

        kind: "create", "query", "account" or "download".
        """
        found: Fault | None = None
        skew_s = 0.0
        with self._lock:
            for row in self._rows:
                # A clock that is off goes together with anything else that is wrong.
                skews = row.fault.kind == "clock_skew"
                if (found is None or skews) and row.strikes(kind, method, path):
                    if skews:
                        skew_s += row.fault.seconds
                    else:
                        found = row.fault
        return found, skew_s


@dataclass
class _Row:
    fault: Fault
    luck: random.Random
    met: int = 0
    struck: int = 0

    def strikes(self, kind: str, method: str, path: str) -> bool:
        fault = self.fault
        if kind not in KINDS[fault.kind][0] or not path.startswith(fault.path):
            return False
        if fault.method and fault.method.upper() != method:
            return False
        if fault.times is not None and self.struck >= fault.times:
            return False
        self.met += 1
        turn = self.met - fault.after
        if turn < 1 or turn % fault.every or self.luck.random() >= fault.share:
            return False
        self.struck += 1
        return True


def load_faults(path: Path) -> tuple[Fault, ...]:
    """The [[fault]] rows of a TOML file. Raises InputError, one line that names the file."""
    path = Path(path)
    with open_input_file(path, InputError, _MOST_FILE_BYTES) as file:
        content = file.read()
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no TOML ({error})") from error
    rows = document.pop("fault", [])
    if document or not isinstance(rows, list):
        extra = ", ".join(document) or "fault"
        raise InputError(f"{path}: {extra}: accepted are only [[fault]] tables")
    try:
        return tuple(Fault.from_mapping(row) for row in rows)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
