"""Element messages match the golden ones, and the library works with a scripted service."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.backends import ElementState, element_library, open_backend
from lab.backends.kling import KlingBackend
from lab.backends.kling.elements import DELETE_PATH, PATH, build, parse_element, title_of
from lab.backends.kling.wire import WireError
from lab.elements import Element
from lab.errors import BackendError, InputError, ServiceError, SubmitUncertain
from lab.media import write_image

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "kling" / "legacy"
KEY = "i2v-element-3f9ab2c41d7e0815-1"


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"element_{name}.json").read_text())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> list[Path]:
    """Two views of one figure."""
    folder = tmp_path_factory.mktemp("figure")
    paths = [folder / "front.png", folder / "side.png"]
    write_image(paths[0], photo[:320, :330])
    write_image(paths[1], np.ascontiguousarray(photo[:320, 200:530]))
    return paths


@pytest.fixture(scope="module")
def hero(pictures: list[Path]) -> Element:
    """A figure with two pictures."""
    return Element.from_pictures("hero", pictures)


def test_the_order_is_the_documented_one(hero: Element) -> None:
    """Every field matches; the title has at most 20 characters and ends in a hash of our id."""
    request, expected = build(hero, KEY, ("front", "side")), golden("create")["request"]
    assert request.path == expected["path"] == PATH
    assert request.body.keys() == expected["json"].keys()
    assert request.body["element_image_list"] == {
        "frontal_image": "front",
        "refer_images": [{"image_url": "side"}],
    }
    assert request.body["external_task_id"] == KEY
    assert title_of("a_very_long_name_x20", KEY)[:12] == "a_very_long_"[:11] + "_"
    assert len(title_of("a_very_long_name_x20", KEY)) == 20
    assert title_of("hero", KEY) != title_of("hero", KEY + "0")


def test_a_lone_picture_is_its_own_other_side(hero: Element) -> None:
    """The documents require a second picture, so the front view is sent twice."""
    listed = build(hero, KEY, ("front",)).body["element_image_list"]
    assert listed == {"frontal_image": "front", "refer_images": [{"image_url": "front"}]}


@pytest.mark.parametrize(
    ("name", "state", "identity"),
    [
        ("create", ElementState.WAITING, ""),
        ("query_processing", ElementState.WAITING, ""),
        ("query_succeed", ElementState.READY, "322705206027217"),
        ("query_failed", ElementState.FAILED, ""),
        ("query_deleted", ElementState.DELETED, "322705206027217"),
    ],
)
def test_each_answer_is_understood(name: str, state: ElementState, identity: str) -> None:
    """State, id (a number in JSON, a string here) and our external id are read."""
    row = parse_element(golden(name)["reply"]["data"])
    assert (row.state, row.id, row.key) == (state, identity, KEY)
    assert row.registration_id == "842250903629086785"


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"task_status": "succeeded"}, ElementState.READY),
        ({"task_status": "archived"}, ElementState.WAITING),
        ({"task_result": {"elements": [{"element_id": 1.5}]}}, ElementState.WAITING),
        ({"task_result": {"elements": [{"element_id": True}]}}, ElementState.WAITING),
        ({"task_result": None}, ElementState.WAITING),
        ({"task_result": [], "task_info": []}, ElementState.WAITING),
    ],
)
def test_odd_answers_are_waited_for(change: dict[str, Any], state: ElementState) -> None:
    """A success without a valid id and an unknown state count as waiting."""
    assert parse_element({**golden("query_succeed")["reply"]["data"], **change}).state is state


@pytest.mark.parametrize("data", [None, [], {}, {"task_id": 5, "task_status": "succeed"}])
def test_an_answer_without_a_task_is_an_error(data: Any) -> None:
    """Nothing is invented."""
    with pytest.raises(WireError):
        parse_element(data)


def test_limits_are_known_beforehand(
    backend: KlingBackend, tmp_path: Path, photo: Any, pictures: list[Path]
) -> None:
    """Sizes, ratios, counts and the description are checked; a good figure passes."""
    library = backend.element_library()
    small, long = tmp_path / "small.png", tmp_path / "long.png"
    write_image(small, photo[:290, :310])
    write_image(long, np.ascontiguousarray(np.tile(photo[:300, :400], (1, 2, 1))[:, :780]))
    problems = [str(item) for item in library.limits(Element.from_pictures("hero", [small, long]))]
    assert len(problems) == 2
    assert "310x290 px': each side needs 300 px" in problems[0]
    assert "780x300 px': accepted: 1:2.5 to 2.5:1" in problems[1]
    five = Element("hero", (Element.from_pictures("a", pictures).pictures * 3)[:5], "x" * 101)
    assert [item.value for item in library.limits(five)] == [
        "5 pictures",
        "description of 101 characters",
    ]
    assert library.limits(Element.from_pictures("hero", pictures)) == ()
    with pytest.raises(BackendError, match="each side needs 300 px"):
        library.register(Element.from_pictures("hero", [small]), KEY)


def test_registering_is_one_order_over_the_legacy_protocol(
    service: Any, backend: KlingBackend, hero: Element
) -> None:
    """Elements use the legacy protocol even if clips use the new one."""
    service.script(service.reply.data(golden("create")["reply"]["data"]))
    row = backend.element_library().register(hero, KEY)
    assert (row.state, row.key) == (ElementState.WAITING, KEY)
    (received,) = service.requests
    assert (received.method, received.path) == ("POST", PATH)
    assert received.json["element_name"] == title_of("hero", KEY)


@pytest.mark.parametrize("how", ["drop", "garbled", "5xx"])
def test_a_lost_answer_is_unknown(
    service: Any, backend: KlingBackend, hero: Element, how: str
) -> None:
    """A lost connection, a reply without an element and a server error are never retried."""
    service.script(
        {
            "drop": service.reply(drop=True),
            "garbled": service.reply.data({}),
            "5xx": service.reply.code(5000, 500),
        }[how]
    )
    with pytest.raises(SubmitUncertain):
        backend.element_library().register(hero, KEY)
    assert len(service.requests) == 1


class TestFind:
    """Looking up our external id."""

    def _answer(self, service: Any, listed: list[Any]) -> None:
        def answer(received: Any) -> Any:
            if received.path == PATH:
                return service.reply.data(listed)
            return service.reply.code(1201, message="task not found")

        service.answer = answer

    def test_by_key(self, service: Any, backend: KlingBackend) -> None:
        """The query by key comes first."""
        service.script(service.reply.data(golden("query_by_external_id")["reply"]["data"]))
        element = backend.element_library().find(KEY, confirm_absent=True)
        assert element == parse_element(golden("query_succeed")["reply"]["data"])
        assert service.paths() == [f"{PATH}/{KEY}"]

    def test_absent_is_asked_twice(
        self, service: Any, backend: KlingBackend, slept: list[float]
    ) -> None:
        """It is absent by key and from the list, and again after the delay."""
        self._answer(service, [])
        assert backend.element_library().find(KEY, confirm_absent=True) == "absent"
        assert service.paths() == [f"{PATH}/{KEY}", PATH] * 2
        assert slept == [backend._policies.second_lookup_delay_s]

    def test_in_the_list_by_its_mark(self, service: Any, backend: KlingBackend) -> None:
        """A service that dropped our key still shows the title with its hash."""
        row = json.loads(json.dumps(golden("query_succeed")["reply"]["data"]))
        del row["task_info"]
        row["task_result"]["elements"][0]["element_name"] = title_of("hero", KEY)
        self._answer(service, [row])
        element = backend.element_library().find(KEY, confirm_absent=False)
        assert not isinstance(element, str)
        assert element.id == "322705206027217"

    def test_one_without_a_name_may_be_ours(self, service: Any, backend: KlingBackend) -> None:
        """A waiting registration without key and title makes the result unknown."""
        row = {"task_id": "842250903629086785", "task_status": "processing"}
        self._answer(service, [row])
        assert backend.element_library().find(KEY, confirm_absent=True) == "unknown"

    def test_no_answer_is_unknown(self, service: Any, backend: KlingBackend) -> None:
        """An error does not mean absent."""
        service.script(service.reply.code(1100, 429))
        assert backend.element_library().find(KEY, confirm_absent=True) == "unknown"


def test_a_key_that_was_used_is_looked_up(
    service: Any, backend: KlingBackend, hero: Element
) -> None:
    """A submission rejected as a duplicate returns the earlier element."""

    def answer(received: Any) -> Any:
        if received.method == "POST":
            return service.reply.code(1201, message="external_task_id already exists")
        return service.reply.data(golden("query_succeed")["reply"]["data"])

    service.answer = answer
    assert backend.element_library().register(hero, KEY).id == "322705206027217"
    service.script(service.reply.code(1201, message="external_task_id already exists"))
    with pytest.raises(SubmitUncertain, match="registered already"):
        backend.element_library().register(hero, KEY)


def test_the_list_leaves_out_what_is_deleted(service: Any, backend: KlingBackend) -> None:
    """Deleted elements and invalid rows are left out."""
    rows = [golden(name)["reply"]["data"] for name in ("query_succeed", "query_deleted")]
    service.script(service.reply.data([*rows, {"task_id": None}]))
    assert [row.id for row in backend.element_library().list_elements()] == ["322705206027217"]


def test_deleting(service: Any, backend: KlingBackend) -> None:
    """The body is as documented. A deleted element is no error; a lost reply is."""
    service.script(service.reply.data(golden("delete")["reply"]["data"]))
    backend.element_library().delete("322705206027217")
    (received,) = service.requests
    assert (received.path, received.json) == (DELETE_PATH, golden("delete")["request"]["json"])
    service.script(service.reply.code(1201, message="element not found"))
    backend.element_library().delete("322705206027217")
    service.script(service.reply(drop=True))
    with pytest.raises(ServiceError, match="run the same command again"):
        backend.element_library().delete("322705206027217")


def test_a_backend_without_elements_says_so() -> None:
    """The offline backend registers none."""
    with pytest.raises(BackendError, match="registers no elements"):
        element_library(open_backend("offline"))


@pytest.mark.parametrize("name", ["", "2nd", "a b", "x" * 21, "héro", None])
def test_a_name_can_be_mentioned(name: Any, pictures: list[Path]) -> None:
    """A name that no prompt could mention is rejected."""
    with pytest.raises(InputError, match="a name is a letter"):
        Element.from_pictures(name, pictures)
