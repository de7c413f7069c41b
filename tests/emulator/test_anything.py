"""Arbitrary requests always get an envelope, never a traceback or a plain 500."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.emulator import Account, Emulator, TaskTiming, serving
from tests.tiers import examples

PATHS = (
    "/image-to-video/kling-3.0",
    "/image-to-video/kling-2.6",
    "/text-to-video/kling-3.0",
    "/omni-video/kling-3.0-omni",
    "/tasks",
    "/v1/videos/image2video",
    "/v1/videos/text2video",
    "/v1/videos/omni-video",
    "/v1/images/generations",
    "/v1/general/advanced-custom-elements",
    "/v1/general/delete-elements",
    "/emulator/faults",
)
NAMES = [
    "contents",
    "settings",
    "options",
    "type",
    "text",
    "url",
    "prompt",
    "first_frame",
    "element",
    "id",
    "element_id",
    "duration",
    "resolution",
    "multi_shot",
    "audio",
    "external_task_id",
    "callback_url",
    "watermark_info",
    "enabled",
    "limit",
    "cursor",
    "filters",
    "key",
    "values",
    "start_time",
    "model_name",
    "image",
    "image_tail",
    "image_list",
    "element_image_list",
    "frontal_image",
    "refer_images",
    "image_url",
    "mode",
    "sound",
    "shot_type",
    "multi_prompt",
    "index",
    "cfg_scale",
    "element_list",
    "n",
    "aspect_ratio",
    "kind",
    "times",
    "video_list",
]
WORDS = [
    "kling-v3",
    "720p",
    "1080p",
    "native",
    "on",
    "off",
    "pro",
    "std",
    "5",
    "10",
    "first_frame",
    "last_frame",
    "prompt",
    "element",
    "base_video",
    "customize",
    "status",
    "slow",
    "shot",
    "AAAA",
]
Leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=8).map(lambda text: text + "\ud800" if len(text) > 6 else text),
)
Value = st.recursive(
    Leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client of an emulator with slots for many tasks."""
    account = Account(concurrency=100_000, image_concurrency=100_000)
    with serving(Emulator(timing=TaskTiming.instant(), account=account)) as running:
        headers = {"Authorization": f"Bearer {account.api_key}"}
        with httpx.Client(base_url=running.url, headers=headers, trust_env=False) as client:
            yield client


def _check(reply: httpx.Response, path: str) -> None:
    assert reply.status_code in (200, 400, 404, 422, 429), reply.text
    body = reply.json()
    if not path.startswith("/emulator/"):
        assert {"code", "message", "request_id"} <= body.keys()
        assert (body["code"] == 0) == (reply.status_code == 200)


@settings(max_examples=examples(300))
@given(path=st.sampled_from(PATHS), body=Value)
def test_any_json(client: httpx.Client, path: str, body: Any) -> None:
    """Any JSON value on any path that accepts JSON."""
    if path == "/emulator/faults":
        client.delete(path)
    content = json.dumps(body).encode()
    _check(client.post(path, content=content), path)
    client.delete("/emulator/faults")


@settings(max_examples=examples(60))
@given(path=st.sampled_from(PATHS), content=st.binary(max_size=40))
def test_any_bytes(client: httpx.Client, path: str, content: bytes) -> None:
    """Any bytes instead of JSON."""
    _check(client.post(path, content=content), path)


@settings(max_examples=examples(100))
@given(data=st.data())
def test_nearly_valid_bodies(
    client: httpx.Client,
    modern_body: Callable[..., dict[str, Any]],
    legacy_body: Callable[..., dict[str, Any]],
    data: st.DataObject,
) -> None:
    """A valid body in which one field is replaced by any value."""
    new = data.draw(st.booleans())
    body = json.loads(json.dumps(modern_body() if new else legacy_body()))
    target = body
    if new:
        part = data.draw(st.sampled_from(["settings", "options", "contents"]))
        target = body[part][data.draw(st.integers(0, 1))] if part == "contents" else body[part]
    target[data.draw(st.sampled_from(NAMES))] = data.draw(Value)
    path = PATHS[0] if new else "/v1/videos/image2video"
    _check(client.post(path, content=json.dumps(body).encode()), path)


@settings(max_examples=examples(60))
@given(
    path=st.sampled_from([*PATHS[4:9], "/account/costs"]),
    query=st.dictionaries(
        st.sampled_from(["task_ids", "pageNum", "pageSize", "start_time", "end_time"]),
        st.text(st.characters(codec="utf-8"), max_size=8),
    ),
)
def test_any_query(client: httpx.Client, path: str, query: dict[str, str]) -> None:
    """Any query string, with tasks to list."""
    _check(client.get(path, params=query), path)


def test_the_state_stays_readable(client: httpx.Client) -> None:
    """After all these requests, the state is still plain JSON."""
    assert client.get("/emulator/state").json()["charged_jobs"] >= 0
