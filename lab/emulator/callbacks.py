"""Tell whoever asked for it when a task changes: one POST a change, signed if there is a secret."""

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any

from lab.emulator import legacy, modern
from lab.emulator.emulator import Emulator
from lab.emulator.pictures import is_loopback
from lab.emulator.store import Job

_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Notice:
    """One callback that is due: when, where to, and its body."""

    due_s: float
    url: str
    body: dict[str, Any]


class Callbacks:
    """Knows which callbacks have become due since it was last asked. Used by one thread."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._seen = 0
        self._waiting: list[tuple[Job, list[float]]] = []

    @property
    def waiting(self) -> bool:
        """True while some task has changes to come that somebody wants to hear of."""
        return bool(self._waiting)

    def due(self) -> list[Notice]:
        """The callbacks that have become due, in the order in which they are to be sent."""
        emulator = self._emulator
        now_s = emulator.clock()
        self._notice_new_tasks()
        found: list[Notice] = []
        for job, moments in self._waiting:
            while moments and moments[0] <= now_s:
                moment_s = moments.pop(0)
                found.append(Notice(moment_s, job.order.callback_url, self._body(job, moment_s)))
        self._waiting = [(job, moments) for job, moments in self._waiting if moments]
        found.sort(key=lambda notice: notice.due_s)
        if emulator.assumptions.callbacks_backwards:
            found.reverse()
        if emulator.assumptions.callbacks_twice:
            found = [notice for notice in found for _ in range(2)]
        return found

    def _notice_new_tasks(self) -> None:
        jobs = self._emulator.store.all_from(self._seen)
        self._seen += len(jobs)
        for job in jobs:
            # Nothing outside this machine is ever called.
            if is_loopback(job.order.callback_url):
                moments = {job.created_s, job.created_s + job.submitted_s}
                # Changes at the same instant are one change, to the later state.
                moments |= set() if job.stuck else {job.ends_s}
                self._waiting.append((job, sorted(moments)))

    def _body(self, job: Job, moment_s: float) -> dict[str, Any]:
        store = self._emulator.store
        if job.order.protocol == "new":
            return modern.row(store, job, moment_s)
        return legacy.callback(store, job, moment_s)


def send(emulator: Emulator, notice: Notice) -> None:
    """POST a callback. Nobody being there, or minding, is no matter of ours."""
    content = json.dumps(notice.body, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json"}
    if emulator.account.webhook_secret is not None:
        headers |= signature(
            emulator.account.webhook_secret, str(uuid.uuid4()), int(emulator.clock()), content
        )
    emulator.count_callback()
    parts = urllib.parse.urlsplit(notice.url)
    place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        wire = http.client.HTTPConnection(parts.netloc.rpartition("@")[2], timeout=_TIMEOUT_S)
    except (http.client.HTTPException, ValueError):
        return
    try:
        wire.request("POST", place, content, headers)
        wire.getresponse().read(65_536)
    except (OSError, http.client.HTTPException, ValueError):
        pass
    finally:
        wire.close()


def signature(secret: str, notice_id: str, time_s: int, content: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: id, time in whole seconds, HMAC-SHA256 of all three.

    secret: "whsec_" and base64. A secret that is no base64 signs with its own bytes.
    """
    bare = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        key = bare.encode()
    told = b".".join((notice_id.encode(), str(time_s).encode(), content))
    mark = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": notice_id,
        "webhook-timestamp": str(time_s),
        "webhook-signature": f"v1,{mark}",
    }
