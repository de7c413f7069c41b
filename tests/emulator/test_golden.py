"""The emulator replies to every golden request as the vendor's example does."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.emulator import Account, Assumptions, Fault, TaskTiming
from lab.emulator.callbacks import signature_headers
from lab.emulator.replies import ERRORS

ROOT = Path(__file__).parent.parent / "data" / "kling"
FILES = sorted(ROOT.glob("*/*.json"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]
EVIDENCE = ("documented", "seen live", "assumed")
_ELEMENTS = "/v1/general/advanced-custom-elements"
Prepare = Callable[[Any, Any], dict[str, str]]

# Examples that differ from the emulator where an example chose freely.
CHARGED_IN_CASH = "new/query_succeeded_with_watermark"
SENT_BY_THE_SERVICE = ("new/callback", "new/callback_signed", "legacy/callback")
FAULTS = {
    "error_1100_account_abnormal": Fault("api_error", code=1100),
    "error_1101_in_arrears": Fault("api_error", code=1101),
    "error_1103_no_permission": Fault("api_error", code=1103),
    "error_1304_address": Fault("api_error", code=1304),
    "error_1302_too_fast": Fault("rate_limited"),
    "error_5000_internal": Fault("server_error", code=5000),
    "error_5001_maintenance": Fault("server_error", code=5001),
    "error_5002_backlog": Fault("server_error", code=5002),
}


def _golden(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_each_file_says_where_it_comes_from(name: str) -> None:
    """Each has a source, evidence, a request and a reply; errors have documented statuses."""
    golden = _golden(name)
    assert golden["evidence"] in EVIDENCE
    assert golden["source"]
    assert {"method", "path"} <= golden["request"].keys()
    code = golden["reply"].get("code", 0)
    if code:
        assert golden["status"] == ERRORS[code][0]


class _Setup:
    """Creates the tasks and elements that a golden request refers to."""

    def __init__(self, emulate: Any, bodies: dict[str, Any], token_of: Any) -> None:
        self._emulate = emulate
        self._bodies = bodies
        self._token_of = token_of
        self.ids: dict[str, str] = {}

    def served(self, name: str, golden: dict[str, Any]) -> Any:
        account = Account(
            concurrency=0 if "1303" in name else 20,
            balance_units=0.0 if "1102" in name else 5000.0 if name == "legacy/costs" else None,
        )
        # Strict fields must pass, because each example is documented. Its elements exist already.
        strict = Assumptions(strict_fields=True, unknown_elements="unknown" not in name)
        served = self._emulate(account=account, timing=TaskTiming(1, 4, 0), assumptions=strict)
        short = name.partition("/")[2]
        if "duplicate" in name:
            self.request(served, golden)
        if name == "legacy/element_delete":
            example = golden["request"]["json"]["element_id"]
            element = _golden("legacy/element_query_succeed")["reply"]["data"]
            self._create_element(served, name, element)
            self.ids[example] = served.emulator.elements[0]["element_id"]
        if name == "new/list_page":
            served.post("/image-to-video/kling-3.0", self._bodies["modern"]())
        for row in self._rows(golden):
            self._create_task(served, name, row)
        if short in FAULTS:
            served.emulator.add_fault(FAULTS[short])
        return served

    def request(self, served: Any, golden: dict[str, Any]) -> Any:
        request = golden["request"]
        path, query = request["path"], dict(request.get("query", {}))
        content = json.dumps(request.get("json"))
        for example, ours in self.ids.items():
            path = path.replace(example, ours)
            query = {key: value.replace(example, ours) for key, value in query.items()}
            content = content.replace(example, ours)
        headers = {
            name: self._fill_placeholders(value)
            for name, value in request.get("headers", {}).items()
        }
        return served.client.request(
            request["method"],
            path,
            params=query,
            json=json.loads(self._fill_placeholders(content)),
            headers=headers or {"Authorization": ""},
        )

    def _fill_placeholders(self, text: str) -> str:
        return (
            text.replace("<base64 still>", self._bodies["still"])
            .replace("<api key>", Account().api_key)
            .replace("<jwt>", self._token_of())
            .replace("<jwt with nbf in the future>", self._token_of(nbf=9e9, exp=9.1e9))
            .replace("<jwt with exp in the past>", self._token_of(exp=1))
        )

    @staticmethod
    def _rows(golden: dict[str, Any]) -> list[dict[str, Any]]:
        request, data = golden["request"], golden["reply"].get("data")
        if request["method"] != "GET" and request["path"] != "/tasks":
            return []
        rows = data.get("result", [data]) if isinstance(data, dict) else data or []
        # Oldest first, for creation; the example lists the newest first.
        return [row for row in rows[::-1] if "id" in row or "task_id" in row]

    def _create_element(self, served: Any, name: str, row: dict[str, Any]) -> None:
        key = row["task_info"]["external_task_id"]
        image = self._bodies["small" if row["task_status"] == "failed" else "still"]
        request = json.loads(json.dumps(_golden("legacy/element_create")["request"]["json"]))
        request["external_task_id"] = key
        request["element_image_list"] = {
            "frontal_image": image,
            "refer_images": [{"image_url": image}],
        }
        data = served.post(_ELEMENTS, request).json()["data"]
        served.clock.advance(2 if row["task_status"] == "processing" else 6)
        if "deleted" in name:
            element = served.emulator.elements[-1]["element_id"]
            served.post("/v1/general/delete-elements", {"element_id": element})
        self.ids[row["task_id"]] = data["task_id"]

    def _create_task(self, served: Any, name: str, row: dict[str, Any]) -> None:
        if "/element_" in name:
            self._create_element(served, name, row)
            return
        state = row.get("status") or row["task_status"]
        message = row.get("message") or row.get("task_status_msg") or ""
        prompt = "risk-control" if "risk" in message else "slow push in"
        external = row.get("external_id") or row.get("task_info", {}).get("external_task_id", "")
        if name.startswith("new/"):
            still = self._bodies["small" if "pixel" in message else "still"]
            watermark = {"watermark_info": {"enabled": "watermark" in name}}
            body = self._bodies["modern"](
                prompt, still=still, external_id=external, options=watermark, duration=5
            )
            path = "/image-to-video/kling-3.0"
        elif "query_image" in name:
            path = "/v1/images/generations"
            body = {"model_name": "kling-v3", "prompt": prompt, "n": 2}
        else:
            path = "/v1/videos/image2video"
            body = self._bodies["legacy"](prompt, duration="5")
        if not name.startswith("new/") and external:
            body["external_task_id"] = external
        reply = served.post(path, body)
        data = reply.json()["data"]
        self.ids[row.get("id") or row["task_id"]] = data.get("id") or data["task_id"]
        if state in ("succeeded", "succeed", "failed"):
            served.clock.advance(6)
        elif state == "processing":
            served.clock.advance(2)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SENT_BY_THE_SERVICE])
def test_each_request_is_answered_as_written(
    name: str,
    emulate: Any,
    modern_body: Any,
    legacy_body: Any,
    still_base64: str,
    image_of: Callable[[int, int], str],
    token_of: Callable[..., str],
) -> None:
    """Status, code, message, keys and types are equal; so are the values that are not examples."""
    golden = _golden(name)
    bodies = {
        "modern": modern_body,
        "legacy": legacy_body,
        "still": still_base64,
        "small": image_of(200, 200),
    }
    setup = _Setup(emulate, bodies, token_of)
    served = setup.served(name, golden)
    reply = setup.request(served, golden)
    assert reply.status_code == golden["status"]
    _check_equal(reply.json(), golden["reply"], "reply", name)


# Strings and numbers that are examples; any others of the same form are accepted.
FREE = ("request_id", "id", "_id", "task_id", "url", "watermark_url", "next_cursor", "duration")
FREE_NUMBERS = ("_time", "_at", "_quantity", "element_id")


def _check_equal(ours: Any, theirs: Any, path: str, name: str) -> None:
    key = path.rpartition(".")[2]
    assert type(ours) is type(theirs), path
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), path
        for each in theirs:
            _check_equal(ours[each], theirs[each], f"{path}.{each}", name)
    elif isinstance(theirs, list):
        if key == "billing" and name == CHARGED_IN_CASH:
            return
        assert len(ours) == len(theirs), path
        for mine, other in zip(ours, theirs, strict=True):
            _check_equal(mine, other, path, name)
    elif key in FREE:
        assert _form(ours) == _form(theirs), path
    elif not key.endswith(FREE_NUMBERS):
        assert ours == theirs, path


def _form(text: str) -> str:
    """A string without its varying parts."""
    text = re.sub(r"^https?://[^/]+", "host", text.partition("?")[0])
    if text.startswith("host"):
        return re.sub(r"\d{18}", "N", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "uuid", text)
    if re.fullmatch(r"eyJ[\w=-]+|W[\w=-]+", text):
        return "cursor"
    return (
        re.sub(r"\d+", lambda match: "9" * min(len(match[0]), 18), text)[:18]
        if (text.isdecimal())
        else re.sub(r"\d+\.\d+", "1.0", text)
    )


@pytest.mark.parametrize("name", ["new/callback", "legacy/callback"])
def test_callbacks_look_like_the_examples(
    name: str, emulate: Any, modern_body: Any, legacy_body: Any
) -> None:
    """A callback's body has the keys and types of the documented example."""
    from lab.emulator import legacy, modern

    served = emulate()
    if name == "new/callback":
        body = modern_body(external_id="take-0001", duration=5)
        served.post("/image-to-video/kling-3.0", body)
        callback_body = modern.task_json
    else:
        body = legacy_body(external_task_id="take-0001", duration="5")
        served.post("/v1/videos/image2video", body)
        callback_body = legacy.callback_json
    store = served.emulator.store
    ours = callback_body(store, store.all()[0], served.clock())
    _check_equal(ours, _golden(name)["request"]["json"], "callback", name)


def test_the_signed_example() -> None:
    """The headers of the official example are reproduced exactly."""
    golden = _golden("new/callback_signed")["request"]
    headers = golden["headers"]
    assert json.loads(golden["body"]) == golden["json"]
    assert headers == signature_headers(
        golden["secret"],
        headers["webhook-id"],
        int(headers["webhook-timestamp"]),
        golden["body"].encode(),
    )
