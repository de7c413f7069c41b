"""Submissions match the vendor's documents, and no invalid reply counts as a success."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.backends.kling import legacy, load_catalogue, modern
from lab.backends.kling.wire import (
    EncodedFrames,
    JobInfo,
    Reply,
    Request,
    WireError,
    billed_usd,
    parse_reply,
)
from lab.errors import BackendError
from lab.prompts import Prompt
from lab.prompts.prompt import Segment
from lab.takes import Take

TakeWith = Callable[..., Take]
GOLDEN = Path(__file__).parents[2] / "data" / "kling"
PICTURES = EncodedFrames("<base64 still>", "<base64 still>")
FIRST = EncodedFrames("<base64 still>")
UNIT_PRICES = load_catalogue().unit_prices


def _golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _replies() -> Iterator[tuple[str, Any]]:
    for file in sorted(GOLDEN.glob("*/*.json")):
        reply = json.loads(file.read_text(encoding="utf-8")).get("reply")
        if reply:
            yield f"{file.parent.name}/{file.stem}", reply


def _built(wire: Any, take: Take, key: str = "k", **how: Any) -> Request:
    model = load_catalogue().model_of(take.shot)
    return wire.build(take, key, **{"model": model, "frames": FIRST, **how})  # type: ignore[no-any-return]


def _holds(body: Any, golden: Any) -> bool:
    """True if everything in the documents' example is the same; more fields may be stated."""
    if isinstance(golden, dict):
        return isinstance(body, dict) and all(_holds(body.get(k), golden[k]) for k in golden)
    return bool(body == golden) and type(body) is type(golden)


class TestNewSubmissions:
    """Submissions in the new protocol."""

    def test_the_documents_example(self, take_with: TakeWith) -> None:
        """A clip from a still, exactly as documented."""
        golden = _golden("new/create_image_to_video")["request"]
        request = _built(modern, take_with(), "take-0001")
        assert (request.path, request.body) == (golden["path"], golden["json"])

    def test_a_last_frame(self, take_with: TakeWith) -> None:
        """First and last frame, with sound, ten seconds."""
        golden = _golden("new/create_image_to_video_end_frame")["request"]
        take = take_with(duration_s=10, resolution="1080p", sound=True)
        request = _built(modern, take, "take-0002", frames=PICTURES)
        assert request.path == golden["path"]
        assert _holds(request.body, golden["json"])

    def test_text_alone(self, take_with: TakeWith) -> None:
        """The prompt is at the top level, and the ratio is stated."""
        golden = _golden("new/create_text_to_video")["request"]
        take = take_with("a lighthouse at dusk; slow pan right", still=None)
        request = _built(modern, take, "take-0003", frames=EncodedFrames())
        assert request.path == golden["path"]
        assert _holds(request.body, golden["json"])
        assert "contents" not in request.body

    def test_omni(self, take_with: TakeWith) -> None:
        """It has its own path; from text alone it sends no picture and states the ratio."""
        golden = _golden("new/create_omni_video")["request"]
        take = take_with(model="kling-3.0-omni")
        request = _built(modern, take, "take-0004")
        assert request.path == golden["path"]
        assert _holds(request.body, golden["json"])
        alone = _built(modern, take, frames=EncodedFrames()).body
        assert [each["type"] for each in alone["contents"]] == ["prompt"]
        assert alone["settings"]["aspect_ratio"] == "16:9"

    def test_nothing_is_left_to_defaults(self, take_with: TakeWith) -> None:
        """Cuts, sound, resolution, length and watermark are stated; the picture sets the ratio."""
        body = _built(modern, take_with()).body
        assert body["settings"] == {
            "multi_shot": False,
            "audio": "off",
            "resolution": "720p",
            "duration": 5,
        }
        assert body["options"]["watermark_info"] == {"enabled": False}

    def test_turbo_has_fewer_settings(self, take_with: TakeWith) -> None:
        """It always has sound and never cuts, and has no setting for either."""
        body = _built(modern, take_with(model="kling-3.0-turbo", sound=True)).body
        assert body["settings"] == {"resolution": "720p", "duration": 5}

    @pytest.mark.parametrize(
        ("model", "more"),
        [
            ("kling-3.0", {"multi_shot": False, "audio": "off"}),
            ("kling-3.0-omni", {"multi_shot": False, "audio": "off"}),
            ("kling-2.6", {"audio": "off"}),
            ("kling-2.5-turbo", {}),
        ],
    )
    def test_only_what_a_model_has(
        self, take_with: TakeWith, model: str, more: dict[str, Any]
    ) -> None:
        """2.6 has no field for cuts, and 2.5 Turbo none for sound either."""
        body = _built(modern, take_with(model=model)).body
        assert body["settings"] == {"resolution": "720p", "duration": 5, **more}

    def test_cuts(self, take_with: TakeWith) -> None:
        """They are part of the prompt; a semicolon would end a shot, so it becomes a comma."""
        prompt = Prompt.cut([Segment("push in; steam", 2), Segment("pan right", 3)])
        body = _built(modern, take_with(prompt)).body
        assert body["contents"][0]["text"] == "shot 1, 2, push in, steam; shot 2, 3, pan right;"
        assert body["settings"]["multi_shot"] is True

    def test_elements(self, take_with: TakeWith) -> None:
        """Each is an item with its id; the prompt mentions it as @name."""
        take = take_with("@hero waves", elements=(("hero", "893605946402811985"),))
        contents = _built(modern, take).body["contents"]
        assert contents[-1] == {
            "type": "element",
            "element_id": "893605946402811985",
            "id": "hero",
        }
        assert contents[0]["text"] == "@hero waves"

    def test_a_callback(self, take_with: TakeWith) -> None:
        """Stated only if there is one."""
        assert "callback_url" not in _built(modern, take_with()).body["options"]
        body = _built(modern, take_with(), callback_url="https://me.example/").body
        assert body["options"]["callback_url"] == "https://me.example/"


class TestLegacySubmissions:
    """Submissions in the legacy protocol."""

    @pytest.mark.parametrize(
        ("name", "key", "prompt", "changed", "frames"),
        [
            ("create_image_to_video", "take-0001", "slow push in; steam rises", {}, FIRST),
            (
                "create_text_to_video",
                "take-0002",
                "a lighthouse at dusk",
                {"still": None},
                EncodedFrames(),
            ),
            ("create_omni_video", "take-0003", "slow push in", {"model": "kling-3.0-omni"}, FIRST),
        ],
    )
    def test_the_documents_examples(
        self,
        take_with: TakeWith,
        name: str,
        key: str,
        prompt: str,
        changed: dict[str, Any],
        frames: EncodedFrames,
    ) -> None:
        """The model is in the body, lengths are strings, pictures have no prefix."""
        golden = _golden(f"legacy/{name}")["request"]
        request = _built(legacy, take_with(prompt, **changed), key, frames=frames)
        assert request.path == golden["path"]
        assert _holds(request.body, golden["json"])

    def test_nothing_is_left_to_defaults(self, take_with: TakeWith) -> None:
        """The model is stated too, because its default is the very first one."""
        body = _built(legacy, take_with(resolution="4k", sound=True), frames=PICTURES).body
        assert (body["model_name"], body["mode"], body["sound"]) == ("kling-v3", "4k", "on")
        assert (body["multi_shot"], body["duration"]) == (False, "5")
        assert body["watermark_info"] == {"enabled": False}
        assert body["image_tail"] == "<base64 still>"
        assert "aspect_ratio" not in body

    @pytest.mark.parametrize(
        ("model", "more"),
        [
            ("kling-3.0", {"multi_shot", "sound"}),
            ("kling-3.0-omni", {"multi_shot", "sound"}),
            ("kling-2.6", {"sound"}),
            ("kling-2.5-turbo", set()),
        ],
    )
    def test_only_what_a_model_has(self, take_with: TakeWith, model: str, more: set[str]) -> None:
        """As in the new protocol, no field of another model is sent."""
        body = _built(legacy, take_with(model=model)).body
        usual = {"model_name", "mode", "duration", "watermark_info", "external_task_id", "prompt"}
        picture = "image_list" if model == "kling-3.0-omni" else "image"
        assert set(body) == {*usual, picture, *more}

    def test_omni_takes_a_list(self, take_with: TakeWith) -> None:
        """First and last frame by type."""
        take = take_with(model="kling-3.0-omni")
        body = _built(legacy, take, frames=PICTURES).body
        assert [each["type"] for each in body["image_list"]] == ["first_frame", "end_frame"]

    def test_cuts(self, take_with: TakeWith) -> None:
        """A list of parts with an empty prompt beside it."""
        prompt = Prompt.cut([Segment("push in; steam", 2), Segment("pan right", 3)])
        body = _built(legacy, take_with(prompt)).body
        assert (body["multi_shot"], body["shot_type"]) == (True, "customize")
        assert body["multi_prompt"] == [
            {"index": 1, "prompt": "push in; steam", "duration": "2"},
            {"index": 2, "prompt": "pan right", "duration": "3"},
        ]
        assert (body["prompt"], body["multi_shot"]) == ("", True)

    @pytest.mark.parametrize(
        ("name", "key", "changed", "frames"),
        [
            ("create_multi_shot", "take-0005", {}, FIRST),
            (
                "create_multi_shot_text",
                "take-0006",
                {"still": None, "aspect_ratio": "9:16", "sound": True},
                EncodedFrames(),
            ),
        ],
    )
    def test_the_documents_examples_of_cuts(
        self,
        take_with: TakeWith,
        name: str,
        key: str,
        changed: dict[str, Any],
        frames: EncodedFrames,
    ) -> None:
        """The prompt is present and empty, and each part has its own."""
        golden = _golden(f"legacy/{name}")["request"]
        prompt = Prompt.cut([Segment("push in on the cup", 2), Segment("wide; steam rises", 3)])
        take = take_with(prompt, resolution="1080p", **changed)
        request = _built(legacy, take, key, frames=frames)
        assert request.path == golden["path"]
        assert _holds(request.body, golden["json"])

    def test_elements(self, take_with: TakeWith) -> None:
        """Mentioned by number; an e-mail address in the prompt is no mention."""
        elements = (("cup", "1"), ("hero", "2"))
        take = take_with("@hero lifts @cup, not a@cup", elements=elements)
        body = _built(legacy, take).body
        assert body["prompt"] == "<<<element_2>>> lifts <<<element_1>>>, not a@cup"
        assert body["element_list"] == [{"element_id": "1"}, {"element_id": "2"}]

    def test_a_still(self, take_with: TakeWith) -> None:
        """One picture in the shot's ratio, of the tier for its resolution."""
        golden = _golden("legacy/create_image")["request"]
        take = take_with("a lighthouse at dusk", still=None, makes="still", resolution="1080p")
        request = legacy.build_still(
            take, "take-0004", stills=load_catalogue().stills, callback_url="https://me.example/"
        )
        assert request.path == golden["path"]
        assert _holds(request.body, {**golden["json"], "n": 1, "resolution": "2k"})
        assert request.body["callback_url"] == "https://me.example/"
        assert "watermark_info" not in request.body

    def test_a_model_it_does_not_have(self, take_with: TakeWith) -> None:
        """Nothing is built."""
        with pytest.raises(BackendError, match="no such model"):
            _built(legacy, take_with(model="kling-3.0-turbo", sound=True))


class TestReplies:
    """Replies as the documents show them."""

    @pytest.mark.parametrize("name", ["create_image_to_video", "create_omni_video"])
    def test_created(self, name: str) -> None:
        """Both protocols return the job with all digits of its id."""
        for parse, folder in ((modern.parse_created, "new"), (legacy.parse_job, "legacy")):
            row = parse(parse_reply(_golden(f"{folder}/{name}")["reply"]), unit_prices=UNIT_PRICES)
            assert row.id.startswith("8936059464028")
            assert row.state == "waiting"
            assert row.external_id.startswith("take-000")

    def test_mixed_states(self) -> None:
        """Jobs come in any order, and some are missing."""
        rows = modern.parse_jobs(
            parse_reply(_golden("new/query_mixed_states")["reply"]), unit_prices=UNIT_PRICES
        )
        assert {row.id[-2:]: row.state for row in rows} == {
            "85": "done",
            "91": "waiting",
            "92": "waiting",
            "93": "failed",
        }

    def test_done(self) -> None:
        """Link, length and bill are read, in units and in cash."""
        (row,) = modern.parse_jobs(
            parse_reply(_golden("new/query_succeeded_with_watermark")["reply"]),
            unit_prices=UNIT_PRICES,
        )
        assert (row.duration_s, row.cost_usd) == (5.04, 0.42)
        assert row.links[0].endswith("raw_video_1.mp4")
        (row,) = modern.parse_jobs(
            parse_reply(_golden("new/query_succeeded")["reply"]), unit_prices=UNIT_PRICES
        )
        assert row.cost_usd == pytest.approx(0.42)

    def test_legacy_done(self) -> None:
        """The other spelling of success; the bill is in units."""
        row = legacy.parse_job(
            parse_reply(_golden("legacy/query_succeed")["reply"]), unit_prices=UNIT_PRICES
        )
        assert (row.state, row.external_id, row.duration_s) == ("done", "take-0001", 5.1)
        assert row.cost_usd == pytest.approx(0.42)
        picture = legacy.parse_job(
            parse_reply(_golden("legacy/query_image")["reply"]), unit_prices=UNIT_PRICES
        )
        assert (picture.state, len(picture.links)) == ("done", 2)
        assert picture.cost_usd == pytest.approx(16 * 0.0035)

    def test_legacy_failed(self) -> None:
        """A failed job has its reason."""
        row = legacy.parse_job(
            parse_reply(_golden("legacy/query_failed")["reply"]), unit_prices=UNIT_PRICES
        )
        assert row.state == "failed"
        assert row.message

    @pytest.mark.parametrize("word", ["succeed", "succeeded"])
    def test_both_spellings_everywhere(self, word: str) -> None:
        """Each protocol may use the other's spelling."""
        reply = copy.deepcopy(_golden("new/query_succeeded")["reply"])
        reply["data"][0]["status"] = word
        (row,) = modern.parse_jobs(parse_reply(reply), unit_prices=UNIT_PRICES)
        reply = copy.deepcopy(_golden("legacy/query_succeed")["reply"])
        reply["data"]["task_status"] = word
        assert (
            row.state
            == legacy.parse_job(parse_reply(reply), unit_prices=UNIT_PRICES).state
            == "done"
        )

    @pytest.mark.parametrize("word", ["queued", "SUCCEEDED", "success", " succeed"])
    def test_an_unknown_state_is_waited_for(self, word: str) -> None:
        """It is neither a success nor a failure."""
        reply = copy.deepcopy(_golden("new/query_succeeded")["reply"])
        reply["data"][0]["status"] = word
        (row,) = modern.parse_jobs(parse_reply(reply), unit_prices=UNIT_PRICES)
        assert (row.state, row.raw_state) == ("waiting", word.strip())

    def test_a_success_without_a_clip_is_none(self) -> None:
        """It is waited for."""
        reply = copy.deepcopy(_golden("new/query_succeeded")["reply"])
        reply["data"][0]["outputs"] = []
        (row,) = modern.parse_jobs(parse_reply(reply), unit_prices=UNIT_PRICES)
        assert row.state == "waiting"

    def test_a_number_is_no_id(self) -> None:
        """A JSON number of eighteen digits may have been rounded."""
        reply = copy.deepcopy(_golden("new/query_succeeded")["reply"])
        reply["data"][0]["id"] = 893605946402811985
        assert modern.parse_jobs(parse_reply(reply), unit_prices=UNIT_PRICES) == ()

    def test_cash_from_a_balance_is_unknown(self) -> None:
        """Its unit is undocumented, so zero units do not mean free."""
        reply = copy.deepcopy(_golden("legacy/query_succeed")["reply"])
        reply["data"] |= {"final_unit_deduction": "0", "final_balance_deduction": {"quota": "3"}}
        assert legacy.parse_job(parse_reply(reply), unit_prices=UNIT_PRICES).cost_usd is None

    @pytest.mark.parametrize(
        ("charges", "usd"),
        [
            ([], None),
            (None, None),
            ([{"charge_type": "unit", "amount": "3.0", "package_type": "video"}], 0.42),
            ([{"charge_type": "unit", "amount": 8, "package_type": "image"}], 0.028),
            ([{"charge_type": "cash", "amount": "10", "currency": "CNY"}], 1.4),
            ([{"charge_type": "cash", "amount": "1", "currency": "XXX"}], None),
            ([{"charge_type": "unit", "amount": "1", "package_type": "audio"}], None),
            ([{"charge_type": "unit", "amount": "-1", "package_type": "video"}], None),
            ([{"charge_type": "unit", "amount": "nan", "package_type": "video"}], None),
            ([{"charge_type": "unit", "amount": "0"}], 0.0),
            (["three"], None),
            (
                [
                    {"charge_type": "unit", "amount": "1", "package_type": "video"},
                    {"charge_type": "cash", "amount": "0.1", "currency": "USD"},
                ],
                0.24,
            ),
        ],
    )
    def test_bills(self, charges: object, usd: float | None) -> None:
        """A charge that is not understood is unknown, never free."""
        assert billed_usd(charges, UNIT_PRICES) == (None if usd is None else pytest.approx(usd))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["succeed", "succeeded", "failed", "https://a.b/c", "0", "1e999", "video"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "data", "id", "status", "task_id", "task_status", "outputs"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def _sound(row: JobInfo) -> None:
    """True if the rest of the code can rely on this job."""
    assert isinstance(row.id, str)
    assert row.id
    assert row.state in ("waiting", "done", "failed")
    assert all(link.startswith(("https://", "http://")) for link in row.links)
    assert row.cost_usd is None or 0 <= row.cost_usd < float("inf")
    assert "\n" not in row.message
    if row.state == "done":
        assert row.raw_state in ("succeed", "succeeded")
        assert row.links


def _parsed(payload: object) -> list[JobInfo]:
    rows: list[JobInfo] = []
    for parse in (modern.parse_created, modern.parse_jobs, legacy.parse_job):
        try:
            jobs = parse(parse_reply(payload), unit_prices=UNIT_PRICES)
        except WireError:
            continue
        rows += jobs if isinstance(jobs, tuple) else [jobs]
    return rows


@given(anything)
@example({"code": False, "data": {"id": "1", "status": "succeeded"}})
@example({"code": 0, "data": {"id": "1", "status": ["succeeded"]}})
def test_any_json_is_survived(payload: object) -> None:
    """Any JSON gives either a WireError or a valid job."""
    for row in _parsed(payload):
        _sound(row)


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from _paths(inner, (*path, key))


@given(st.data())
def test_any_mutation_of_a_real_answer_is_survived(data: st.DataObject) -> None:
    """The same with a part of a documented reply replaced."""
    name, reply = data.draw(st.sampled_from(sorted(_replies(), key=lambda pair: pair[0])))
    path = data.draw(st.sampled_from(list(_paths(reply))), label=name)
    mutated = copy.deepcopy(reply)
    if path:
        holder = mutated
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = data.draw(anything)
    for row in _parsed(mutated):
        _sound(row)


def test_the_body_is_not_shown(take_with: TakeWith) -> None:
    """The repr does not put a picture of megabytes into a log."""
    request = _built(modern, take_with())
    assert "base64" not in repr(request)
    assert "base64" not in repr(FIRST)
    assert replace(request).body is request.body
    assert parse_reply({"code": 0}) == Reply(0, "", None)
