"""Elements: registration over time, use in tasks, deletion and faults."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator import Assumptions, Fault, TaskTiming

PATH = "/v1/general/advanced-custom-elements"
DELETE = "/v1/general/delete-elements"
Body = Callable[..., dict[str, Any]]


@pytest.fixture
def element_body(still_base64: str) -> Body:
    """Build the body of a registration, with fields replaced."""

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


def _row(served: Any, key: str) -> dict[str, Any]:
    return served.get(f"{PATH}/{key}").json()["data"]


def _refusal(reply: Any) -> tuple[int, str]:
    assert reply.status_code == 400
    return reply.json()["code"], reply.json()["message"]


def _register(served: Any, body: dict[str, Any]) -> tuple[str, str]:
    """Register an element; return its task id and element id."""
    task = served.post(PATH, body).json()["data"]["task_id"]
    (element,) = _row(served, task)["task_result"]["elements"]
    return task, str(element["element_id"])


def test_a_registration_follows_the_clock(slow: Any, element_body: Body) -> None:
    """Its states are submitted, processing, succeed; the last has the element id, a number."""
    task = slow.post(PATH, element_body(external_task_id="k-1")).json()["data"]["task_id"]
    states = []
    for _ in range(3):
        states.append(_row(slow, "k-1")["task_status"])
        slow.clock.advance(2.5)
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
def test_the_documented_limits_are_enforced(
    served: Any, element_body: Body, fields: dict[str, Any], says: str
) -> None:
    """A violation is 400/1201 at once, and nothing is registered."""
    code, message = _refusal(served.post(PATH, element_body(**fields)))
    assert code == 1201
    assert says in message
    assert served.emulator.elements == []


def test_a_bad_image_fails_later(
    served: Any, element_body: Body, image_of: Callable[[int, int], str]
) -> None:
    """A front image that is too small is accepted and fails later."""
    task = served.post(PATH, element_body(image_of(200, 200))).json()["data"]["task_id"]
    row = _row(served, task)
    assert (row["task_status"], row["task_status_msg"]) == ("failed", "Image pixel is invalid")
    assert "task_result" not in row


def test_only_registered_elements_can_be_used(
    served: Any, element_body: Body, modern_body: Body, legacy_body: Body
) -> None:
    """Both protocols refuse unknown and deleted elements and accept registered ones."""

    def modern(element: str) -> Any:
        body = modern_body("@hero turns")
        body["contents"].append({"type": "element", "element_id": element, "id": "hero"})
        return served.post("/image-to-video/kling-3.0", body)

    def legacy(element: str) -> Any:
        body = legacy_body("<<<element_1>>> turns", element_list=[{"element_id": element}])
        return served.post("/v1/videos/image2video", body)

    task, element = _register(served, element_body())
    for post in (modern, legacy):
        assert "does not exist" in _refusal(post("322705206999999"))[1]
        assert post(element).status_code == 200
    assert served.post(DELETE, {"element_id": element}).status_code == 200
    for post in (modern, legacy):
        assert "does not exist" in _refusal(post(element))[1]
    assert _row(served, task)["task_result"]["elements"][0]["status"] == "deleted"
    assert _refusal(served.post(DELETE, {"element_id": element}))[0] == 1201


def test_unknown_ids_pass_by_assumption(
    emulate: Any, element_body: Body, modern_body: Body
) -> None:
    """Ids from the console are accepted then; a deleted element stays deleted."""
    served = emulate(assumptions=Assumptions(unknown_elements=True))
    _, element = _register(served, element_body())
    served.post(DELETE, {"element_id": element})
    for element_id, status in (("861500000000000001", 200), (element, 400)):
        body = modern_body("@hero turns")
        body["contents"].append({"type": "element", "element_id": element_id, "id": "hero"})
        assert served.post("/image-to-video/kling-3.0", body).status_code == status


def test_an_unfinished_element_cannot_be_used(
    slow: Any, element_body: Body, modern_body: Body
) -> None:
    """An element is usable once its registration has succeeded."""
    slow.post(PATH, element_body())
    body = modern_body("@hero turns")
    element = slow.emulator.elements[0]["element_id"]
    body["contents"].append({"type": "element", "element_id": element, "id": "hero"})
    assert slow.post("/image-to-video/kling-3.0", body).status_code == 400
    slow.clock.advance(6)
    assert slow.post("/image-to-video/kling-3.0", body).status_code == 200


def test_elements_are_listed_newest_first(served: Any, element_body: Body) -> None:
    """Page numbers and sizes work as for tasks; sizes out of range are refused."""
    tasks = [_register(served, element_body(external_task_id=f"k-{n}"))[0] for n in range(3)]
    pages = [served.get(PATH, pageNum=page, pageSize=2).json()["data"] for page in (1, 2, 3)]
    assert [[row["task_id"] for row in page] for page in pages] == [
        [tasks[2], tasks[1]],
        [tasks[0]],
        [],
    ]
    assert _refusal(served.get(PATH, pageSize=501))[0] == 1201


def test_faults_affect_elements_too(emulate: Any, element_body: Body) -> None:
    """A registration whose reply was dropped exists; lost_tasks hides it once."""
    served = emulate(timing=TaskTiming.instant())
    served.emulator.add_fault(Fault("accept_then_drop", times=1, path="/v1/general/"))
    served.emulator.add_fault(Fault("lost_tasks", times=1, path="/v1/general/"))
    with pytest.raises(Exception, match="disconnected"):
        served.post(PATH, element_body(external_task_id="k-1"))
    assert [each["external_id"] for each in served.emulator.elements] == ["k-1"]
    assert served.get(PATH).json()["data"] == []
    assert len(served.get(PATH).json()["data"]) == 1
