"""Send callbacks: one POST per change of a task's state, signed if the account has a secret."""

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import urllib.parse
import uuid
from dataclasses import dataclass

from lab.emulator import legacy, modern
from lab.emulator.emulator import Emulator
from lab.emulator.store import Task
from lab.loopback import is_loopback_url

_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Callback:
    """One callback to send: when it became due, its URL and its JSON body."""

    due_s: float
    url: str
    body: modern.TaskJson | legacy.TaskJson


class CallbackQueue:
    """Collects the callbacks that become due as the emulator's clock advances.

    Not safe to use from several threads.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._seen_tasks = 0
        self._pending: list[tuple[Task, list[float]]] = []

    def due(self) -> list[Callback]:
        """Return the callbacks that became due since the last call, in sending order."""
        emulator = self._emulator
        now_s = emulator.clock()
        self._add_new_tasks()
        callbacks: list[Callback] = []
        for task, change_times_s in self._pending:
            while change_times_s and change_times_s[0] <= now_s:
                change_s = change_times_s.pop(0)
                body = self._body(task, change_s)
                callbacks.append(Callback(change_s, task.spec.callback_url, body))
        self._pending = [(task, times_s) for task, times_s in self._pending if times_s]
        callbacks.sort(key=lambda callback: callback.due_s)
        if emulator.assumptions.callbacks_backwards:
            callbacks.reverse()
        if emulator.assumptions.callbacks_twice:
            callbacks = [callback for callback in callbacks for _ in range(2)]
        return callbacks

    def _add_new_tasks(self) -> None:
        tasks = self._emulator.store.all_from(self._seen_tasks)
        self._seen_tasks += len(tasks)
        for task in tasks:
            # The emulator never connects to another machine.
            if is_loopback_url(task.spec.callback_url):
                # A set, because simultaneous changes cause one callback, about the later state.
                change_times_s = {task.created_s, task.created_s + task.submitted_s}
                if not task.stuck:
                    change_times_s.add(task.ends_s)
                self._pending.append((task, sorted(change_times_s)))

    def _body(self, task: Task, change_s: float) -> modern.TaskJson | legacy.TaskJson:
        store = self._emulator.store
        if task.spec.protocol == "new":
            return modern.task_json(store, task, change_s)
        return legacy.callback_json(store, task, change_s)


def send(emulator: Emulator, callback: Callback) -> None:
    """POST a callback once. Connection errors and error replies are ignored."""
    content = json.dumps(callback.body, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json"}
    if emulator.account.webhook_secret is not None:
        headers |= signature_headers(
            emulator.account.webhook_secret, str(uuid.uuid4()), int(emulator.clock()), content
        )
    emulator.count_callback()
    url = urllib.parse.urlsplit(callback.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        connection = http.client.HTTPConnection(url.netloc.rpartition("@")[2], timeout=_TIMEOUT_S)
    except (http.client.HTTPException, ValueError):
        return
    try:
        connection.request("POST", target, content, headers)
        connection.getresponse().read(65_536)
    except (OSError, http.client.HTTPException, ValueError):
        pass
    finally:
        connection.close()


def signature_headers(secret: str, callback_id: str, time_s: int, content: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: id, time in whole seconds, and the HMAC-SHA256 signature.

    secret: "whsec_" and base64. A secret that is not base64 is used as raw bytes.
    """
    bare = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        key = bare.encode()
    signed = b".".join((callback_id.encode(), str(time_s).encode(), content))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": callback_id,
        "webhook-timestamp": str(time_s),
        "webhook-signature": f"v1,{digest}",
    }
