"""The emulator's elements: registered by its clock, cited by orders, deleted, and gone wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Assumptions, Fault, TaskTiming

PATH = "/v1/general/advanced-custom-elements"
DELETE = "/v1/general/delete-elements"
Body = Callable[..., dict[str, Any]]


@pytest.fixture
def element_body(still_base64: str) -> Body:
    """The body of a registration; fields may be replaced."""

    def build(front: str = still_base64, **fields: Any) -> dict[str, Any]:
        return {
            "element_name": "hero",
            "element_description": "a cup",
            "reference_type": "image_refer",
            "element_image_list": {
                "frontal_image": front,
                "refer_images": [{"image_url": still_base64}],
            },
            **fields,
        }

    return build


def _row(served: Any, wanted: str) -> dict[str, Any]:
    return served.get(f"{PATH}/{wanted}").json()["data"]


def _refusal(reply: Any) -> tuple[int, str]:
    assert reply.status_code == 400
    return reply.json()["code"], reply.json()["message"]


def _made(served: Any, body: dict[str, Any]) -> tuple[str, str]:
    """Task id and element id of a registration that is done."""
    task = served.post(PATH, body).json()["data"]["task_id"]
    (element,) = _row(served, task)["task_result"]["elements"]
    return task, str(element["element_id"])


def test_it_is_ready_by_the_clock(slow: Any, element_body: Body) -> None:
    """Submitted, processing, succeed; the id comes with the last, as a number."""
    task = slow.post(PATH, element_body(external_task_id="k-1")).json()["data"]["task_id"]
    states = []
    for _ in range(3):
        states.append(_row(slow, "k-1")["task_status"])
        slow.clock.passes(2.5)
    assert states == ["submitted", "processing", "succeed"]
    (element,) = _row(slow, task)["task_result"]["elements"]
    assert isinstance(element["element_id"], int)
    assert element["status"] == "succeed"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"element_name": "x" * 21}, "element_name is too long"),
        ({"element_name": None}, "element_name can not be null"),
        ({"element_description": "x" * 101}, "element_description is too long"),
        ({"reference_type": "drawing"}, "reference_type is invalid"),
        ({"element_image_list": {"refer_images": []}}, "frontal_image"),
        ({"tag_list": [{"tag_id": "o_999"}]}, "tag_id"),
    ],
)
def test_what_breaks_the_documented_limits_is_refused(
    served: Any, element_body: Body, fields: dict[str, Any], says: str
) -> None:
    """400/1201 at once, and nothing is registered."""
    code, message = _refusal(served.post(PATH, element_body(**fields)))
    assert code == 1201
    assert says in message
    assert served.emulator.elements == []


def test_a_bad_picture_fails_later(
    served: Any, element_body: Body, image_of: Callable[[int, int], str]
) -> None:
    """Too small a front is accepted and fails, free, and cannot be cited."""
    task = served.post(PATH, element_body(image_of(200, 200))).json()["data"]["task_id"]
    row = _row(served, task)
    assert (row["task_status"], row["task_status_msg"]) == ("failed", "Image pixel is invalid")
    assert "task_result" not in row


def test_only_what_is_registered_and_not_deleted_can_be_cited(
    served: Any, element_body: Body, modern_body: Body, legacy_body: Body
) -> None:
    """Both protocols refuse an element nobody knows, take a ready one, and refuse it deleted."""

    def modern(element: str) -> Any:
        body = modern_body("@hero turns")
        body["contents"].append({"type": "element", "element_id": element, "id": "hero"})
        return served.post("/image-to-video/kling-3.0", body)

    def legacy(element: str) -> Any:
        body = legacy_body("<<<element_1>>> turns", element_list=[{"element_id": element}])
        return served.post("/v1/videos/image2video", body)

    task, element = _made(served, element_body())
    for spec in (modern, legacy):
        assert "does not exist" in _refusal(spec("322705206999999"))[1]
        assert spec(element).status_code == 200
    assert served.post(DELETE, {"element_id": element}).status_code == 200
    for spec in (modern, legacy):
        assert "does not exist" in _refusal(spec(element))[1]
    assert _row(served, task)["task_result"]["elements"][0]["status"] == "deleted"
    assert _refusal(served.post(DELETE, {"element_id": element}))[0] == 1201


def test_strange_ids_pass_where_that_is_assumed(
    emulate: Any, element_body: Body, modern_body: Body
) -> None:
    """Ids made in a console can be rehearsed with; a deleted one stays deleted."""
    served = emulate(assumptions=Assumptions(unknown_elements=True))
    _, element = _made(served, element_body())
    served.post(DELETE, {"element_id": element})
    for cited, status in (("861500000000000001", 200), (element, 400)):
        body = modern_body("@hero turns")
        body["contents"].append({"type": "element", "element_id": cited, "id": "hero"})
        assert served.post("/image-to-video/kling-3.0", body).status_code == status


def test_one_that_is_not_done_cannot_be_cited(
    slow: Any, element_body: Body, modern_body: Body
) -> None:
    """An id exists only once the registration has succeeded."""
    slow.post(PATH, element_body())
    body = modern_body("@hero turns")
    element = slow.emulator.elements[0]["element_id"]
    body["contents"].append({"type": "element", "element_id": element, "id": "hero"})
    assert slow.post("/image-to-video/kling-3.0", body).status_code == 400
    slow.clock.passes(6)
    assert slow.post("/image-to-video/kling-3.0", body).status_code == 200


def test_the_list_has_pages_newest_first(served: Any, element_body: Body) -> None:
    """Page size and number count as for tasks; others' numbers are refused."""
    tasks = [_made(served, element_body(external_task_id=f"k-{n}"))[0] for n in range(3)]
    pages = [served.get(PATH, pageNum=page, pageSize=2).json()["data"] for page in (1, 2, 3)]
    assert [[row["task_id"] for row in page] for page in pages] == [
        [tasks[2], tasks[1]],
        [tasks[0]],
        [],
    ]
    assert _refusal(served.get(PATH, pageSize=501))[0] == 1201


def test_faults_strike_elements_too(emulate: Any, element_body: Body) -> None:
    """A registration whose answer is dropped exists; a list that lags does not show it."""
    served = emulate(timing=TaskTiming.instant())
    served.emulator.add_fault(Fault("accept_then_drop", times=1, path="/v1/general/"))
    served.emulator.add_fault(Fault("lost_tasks", times=1, path="/v1/general/"))
    with pytest.raises(Exception, match="disconnected"):
        served.post(PATH, element_body(external_task_id="k-1"))
    assert [each["external_id"] for each in served.emulator.elements] == ["k-1"]
    assert served.get(PATH).json()["data"] == []
    assert len(served.get(PATH).json()["data"]) == 1
