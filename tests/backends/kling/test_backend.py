"""A take is ordered, waited for and fetched; nothing is ever ordered twice."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.backends import BACKENDS, Job
from lab.backends.contract import JobState
from lab.backends.kling import Account, KlingBackend
from lab.errors import (
    AccountError,
    BackendError,
    FetchError,
    NoSlot,
    Refusal,
    ServiceError,
    SubmitUncertain,
)
from lab.media import probe
from lab.takes import Take

TakeWith = Callable[..., Take]
BackendOf = Callable[..., KlingBackend]
ID = "893605946402811985"
PATHS = {"new": "/image-to-video/kling-3.0", "legacy": "/v1/videos/image2video"}
BILL = [{"charge_type": "unit", "amount": "3.0", "package_type": "video"}]


def _row(service: Any, **changed: Any) -> dict[str, Any]:
    output = {"type": "video", "url": f"{service.url}/media/clip.mp4", "duration": "5.04"}
    return {
        "id": ID,
        "status": "succeeded",
        "message": "",
        "external_id": "k-1",
        "outputs": [output],
        "billing": BILL,
        **changed,
    }


def _legacy_row(service: Any, **changed: Any) -> dict[str, Any]:
    return {
        "task_id": ID,
        "task_status": "succeed",
        "task_status_msg": "",
        "task_info": {"external_task_id": "k-1"},
        "task_result": {"videos": [{"id": "1", "url": f"{service.url}/media/c", "duration": "5"}]},
        "final_unit_deduction": "3",
        **changed,
    }


def _job(service: Any, identity: str = ID, protocol: str = "new", **data: Any) -> Job:
    place = {"host": service.url, "protocol": protocol, "path": PATHS.get(protocol)}
    return Job("kling", identity, "take", {**place, "makes": "clip", **data})


class TestSuccess:
    """The way things usually go."""

    def test_submit_poll_fetch(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, clip: bytes, tmp_path: Path
    ) -> None:
        """One order, one question, one download without a key; the bill is read."""

        def answer(asked: Any) -> Any:
            if asked.method == "POST":
                return service.says.data({"id": ID, "status": "submitted", "external_id": "k-1"})
            if asked.path == "/tasks":
                return service.says.data([_row(service)])
            return service.says(200, clip)

        service.answer = answer
        job = backend.submit(take_with(), "k-1")
        status = backend.poll([job])[job.id]
        assert (status.state, status.cost_usd) == (JobState.DONE, pytest.approx(0.42))
        assert status.message == "5.04 s"
        fetched = backend.fetch(job, tmp_path / "clip.mp4")
        assert probe(tmp_path / "clip.mp4").frames == 8
        assert fetched.notes == ("still: sent without its metadata",)
        assert dict(fetched.not_honoured)["duration_s"]
        assert [asked.path for asked in service.asked] == [
            "/image-to-video/kling-3.0",
            "/tasks",
            "/media/clip.mp4",
        ]
        assert "authorization" not in service.asked[-1].headers
        assert service.asked[0].headers["authorization"].startswith("Bearer api-key-kling-")

    def test_legacy(
        self,
        service: Any,
        backend_of: BackendOf,
        take_with: TakeWith,
        clip: bytes,
        tmp_path: Path,
    ) -> None:
        """The same with a pair of keys, over the old protocol."""

        def answer(asked: Any) -> Any:
            if asked.method == "POST":
                return service.says.data({"task_id": ID, "task_status": "submitted"})
            if asked.path == f"/v1/videos/image2video/{ID}":
                return service.says.data(_legacy_row(service))
            return service.says(200, clip)

        service.answer = answer
        backend = backend_of(api_key=None, access_key="ak", secret_key="sk")
        job = backend.submit(take_with(), "k-1")
        assert backend.poll([job])[ID].cost_usd == pytest.approx(0.42)
        backend.fetch(job, tmp_path / "clip.mp4")
        assert job.data["protocol"] == "legacy"
        assert service.asked[0].headers["authorization"].startswith("Bearer eyJ")

    def test_a_still_from_text(
        self,
        service: Any,
        backend: KlingBackend,
        take_with: TakeWith,
        stills_dir: Path,
        tmp_path: Path,
    ) -> None:
        """Ordered over the old protocol, with the same key; a picture comes."""

        def answer(asked: Any) -> Any:
            if asked.method == "POST":
                return service.says.data({"task_id": ID, "task_status": "submitted"})
            if asked.path == f"/v1/images/generations/{ID}":
                images = [{"index": 0, "url": f"{service.url}/media/still.jpg"}]
                row = {"task_result": {"images": images}, "final_unit_deduction": "8"}
                return service.says.data(_legacy_row(service, **row))
            return service.says(200, (stills_dir / "coffee.jpg").read_bytes())

        service.answer = answer
        job = backend.submit(take_with(still=None, makes="still"), "k-1")
        assert job.data["model"] == "kling-v3"
        assert backend.poll([job])[ID].cost_usd == pytest.approx(0.028)
        fetched = backend.fetch(job, tmp_path / "still.jpg")
        assert fetched.not_honoured == ()
        assert (tmp_path / "still.jpg").read_bytes() == (stills_dir / "coffee.jpg").read_bytes()

    def test_the_table_knows_it(self) -> None:
        """It is registered, and what it can do is known without an account."""
        assert BACKENDS["kling"] is KlingBackend
        can = KlingBackend.capabilities
        assert (can.duration_s, can.duration_step_s, can.fps) == ((3, 15), 1, (24.0,))
        assert can.resolutions == ("720p", "1080p", "4k")
        assert can.lookup
        assert (can.seed, can.cancel, can.simulated) == (False, False, False)

    def test_the_account_sets_the_pace(self, backend_of: BackendOf) -> None:
        """Slots and pauses are the account's; the class keeps the usual ones."""
        can = backend_of(concurrency=5, poll_s=0.5).capabilities
        assert (can.concurrency, can.poll_every_s) == (5, 0.5)
        assert KlingBackend.capabilities.concurrency == 20


class TestJobs:
    """The handle."""

    @pytest.fixture
    def job(self, service: Any, backend: KlingBackend, take_with: TakeWith) -> Job:
        """One that was just ordered."""
        service.script(service.says.data({"id": ID, "status": "submitted"}))
        return backend.submit(take_with(), "k-1")

    def test_it_is_small_and_plain(self, job: Job) -> None:
        """JSON of a few hundred bytes, without picture or key; all digits of the id are there."""
        text = json.dumps(job.to_json(), allow_nan=False)
        assert len(text) < 2000
        assert "api-key" not in text
        assert Job.from_json(json.loads(text)) == job
        assert job.id == ID

    def test_it_says_where_it_is(self, service: Any, job: Job) -> None:
        """Host, protocol, path, model and key: enough for another process."""
        wanted = {"host", "region", "protocol", "path", "model", "key"}
        assert {name: job.data[name] for name in wanted} == {
            "host": service.url,
            "region": "",
            "protocol": "new",
            "path": "/image-to-video/kling-3.0",
            "model": "kling-3.0",
            "key": "k-1",
        }


class TestOrders:
    """What may go wrong when buying."""

    @pytest.mark.parametrize(
        ("code", "status", "kind"),
        [
            (1101, 429, AccountError),
            (1301, 400, Refusal),
            (1303, 429, NoSlot),
            (1203, 404, BackendError),
            (5001, 503, ServiceError),
            (5000, 500, SubmitUncertain),
        ],
    )
    def test_codes(
        self,
        service: Any,
        backend: KlingBackend,
        take_with: TakeWith,
        code: int,
        status: int,
        kind: type[Exception],
    ) -> None:
        """Each is told by what can be done about it, names the take, and is ordered once."""
        service.script(service.says.code(code, status))
        take = take_with()
        with pytest.raises(kind, match=take.id):
            backend.submit(take, "k-1")
        assert len(service.asked) == 1

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [],
            {},
            {"id": 893605946402811985, "status": "submitted"},
            {"id": ID},
            {"id": ID, "status": "submitted", "external_id": "another"},
        ],
    )
    def test_an_answer_that_names_no_job(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, data: Any
    ) -> None:
        """It may have been bought all the same."""
        service.script(service.says.data(data))
        with pytest.raises(SubmitUncertain):
            backend.submit(take_with(), "k-1")

    def test_what_blocks_is_not_sent(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """Not even if nobody asked for the limits before."""
        with pytest.raises(BackendError, match="always makes sound"):
            backend.submit(take_with(model="kling-3.0-turbo"), "k-1")
        assert not service.asked

    def test_a_still_that_is_gone(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, coffee: Any, tmp_path: Path
    ) -> None:
        """Nothing is sent; the take and the file are named."""
        take = take_with(still=coffee.at(tmp_path / "gone.jpg"))
        with pytest.raises(BackendError, match=rf"{take.id}.*gone\.jpg"):
            backend.submit(take, "k-1")
        assert not service.asked

    def test_ten_thousand_of_one_still(
        self,
        service: Any,
        backend: KlingBackend,
        take_with: TakeWith,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Threads share the one picture that was made."""
        service.script(service.says.data({"id": ID, "status": "submitted"}))
        made: list[Any] = []
        from lab.backends.kling import pictures

        real = pictures.open_image
        monkeypatch.setattr(pictures, "open_image", lambda path: made.append(path) or real(path))
        takes = [take_with(repeat=number) for number in range(1, 17)]
        threads = [threading.Thread(target=backend.submit, args=(take, take.id)) for take in takes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(service.asked) == 16
        assert len(made) == 1
        keys = {asked.json["options"]["external_task_id"] for asked in service.asked}
        assert keys == {take.id for take in takes}


class TestDuplicates:
    """A key that was used before is turned down with a code that means many things."""

    def _turned_down(self, service: Any, message: str, *found: Any) -> None:
        def answer(asked: Any) -> Any:
            if asked.method == "POST":
                return service.says.code(1201, 400, message)
            if asked.path != "/tasks":  # the legacy protocol, which knows no such task
                return service.says.code(1201, 400, "task not found")
            return service.says.data([_row(service, external_id=key) for key in found])

        service.answer = answer

    @pytest.mark.parametrize("message", ["external_task_id already exists", "bad"])
    def test_the_earlier_order_is_adopted(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, message: str
    ) -> None:
        """Whatever the words: if the key is known, its job is ours."""
        self._turned_down(service, message, "k-1")
        job = backend.submit(take_with(), "k-1")
        assert (job.id, job.data["key"]) == (ID, "k-1")
        assert service.paths("POST") == ["/image-to-video/kling-3.0"]

    def test_a_parameter_that_is_wrong(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """Nobody knows the key, asked twice in both protocols, so it was the parameter."""
        self._turned_down(service, "duration is invalid")
        with pytest.raises(BackendError, match="duration is invalid"):
            backend.submit(take_with(), "k-1")

    @pytest.mark.parametrize("found", [(), ("another",)])
    def test_doubt_is_told(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, found: tuple[str, ...]
    ) -> None:
        """It is said to exist but is not found, or something else is."""
        self._turned_down(service, "external_task_id already exists", *found)
        with pytest.raises(SubmitUncertain):
            backend.submit(take_with(), "k-1")

    def test_a_lookup_that_fails(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """Then it may have been bought."""
        service.answer = lambda asked: (
            service.says.code(1201, 400) if asked.method == "POST" else service.says(502)
        )
        with pytest.raises(SubmitUncertain):
            backend.submit(take_with(), "k-1")


class TestLookup:
    """Found, absent, or unknown."""

    def _answers(self, service: Any, new: Any, legacy: Any) -> None:
        service.answer = lambda asked: new if asked.path == "/tasks" else legacy

    def test_found(self, service: Any, backend: KlingBackend, take_with: TakeWith) -> None:
        """By our key, at once; another process can carry on with the job."""
        take = take_with()
        self._answers(service, service.says.data([_row(service)]), service.says(500))
        job = backend.lookup(take, "k-1")
        assert isinstance(job, Job)
        assert (job.id, job.take_id, job.data["path"]) == (ID, take.id, PATHS["new"])
        assert service.asked[0].query == {"external_task_ids": "k-1"}

    def test_absent(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, slept: list[float]
    ) -> None:
        """Only if neither protocol knows it, asked twice with a pause between."""
        self._answers(service, service.says.data([]), service.says.code(1201, 400))
        assert backend.lookup(take_with(), "k-1") == "absent"
        assert service.paths() == ["/tasks", f"{PATHS['legacy']}/k-1"] * 2
        assert slept == [2.0]

    def test_late(self, service: Any, backend: KlingBackend, take_with: TakeWith) -> None:
        """A job that shows up only at the second question is found."""
        said = [service.says.data([]), service.says.data([_row(service)])]
        service.answer = lambda asked: (
            said.pop(0) if asked.path == "/tasks" else service.says.code(1201, 400)
        )
        assert isinstance(backend.lookup(take_with(), "k-1"), Job)

    def test_ordered_in_the_other_protocol(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """KLING_PROTOCOL may have been changed since; the job says where it is."""
        self._answers(service, service.says.data([]), service.says.data(_legacy_row(service)))
        job = backend.lookup(take_with(), "k-1")
        assert isinstance(job, Job)
        assert (job.data["protocol"], job.data["path"]) == ("legacy", PATHS["legacy"])

    def test_only_what_the_keys_open(
        self, service: Any, backend_of: BackendOf, take_with: TakeWith
    ) -> None:
        """With a pair of keys only the old protocol is asked."""
        service.script(service.says.code(1201, 400))
        backend = backend_of(api_key=None, access_key="ak", secret_key="sk")
        assert backend.lookup(take_with(), "k-1") == "absent"
        assert service.paths() == [f"{PATHS['legacy']}/k-1"] * 2

    @pytest.mark.parametrize(
        "says",
        [
            {"status": 502, "body": b"<html>"},
            {"status": 401, "body": b'{"code": 1002}'},
            {"status": 400, "body": b'{"code": 1201}'},
            {"status": 200, "body": b'{"code": 0}'},
            {"status": 200, "body": b'{"code": 0, "data": {}}'},
            {"status": 200, "body": b'{"code": 0, "data": [{}]}'},
            {"status": 200, "body": b'{"code": 0, "data": [{"id": "1", "status": "failed"}]}'},
            {"drop": True},
        ],
    )
    def test_unknown(
        self,
        service: Any,
        backend: KlingBackend,
        take_with: TakeWith,
        says: dict[str, Any],
    ) -> None:
        """Anything else is no denial, for a denial lets it be bought again."""
        self._answers(service, service.says(**says), service.says.code(1201, 400))
        assert backend.lookup(take_with(), "k-1") == "unknown"

    def test_unknown_in_the_other_protocol(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """One that cannot answer leaves it open."""
        self._answers(service, service.says.data([]), service.says(502))
        assert backend.lookup(take_with(), "k-1") == "unknown"


class TestPoll:
    """States."""

    def test_nothing_to_ask(self, service: Any, backend: KlingBackend) -> None:
        """Nobody is asked."""
        assert backend.poll([]) == {}
        assert not service.asked

    def test_batches(self, service: Any, backend: KlingBackend) -> None:
        """A hundred at a time, matched by id, in whatever order they come."""

        def answer(asked: Any) -> Any:
            ids = asked.query["task_ids"].split(",")
            rows = [{"id": each, "status": "processing"} for each in reversed(ids)]
            return service.says.data(rows[1:])

        service.answer = answer
        jobs = [_job(service, f"{number:018d}") for number in range(250)]
        states = backend.poll(jobs)
        assert [len(a.query["task_ids"].split(",")) for a in service.asked] == [100, 100, 50]
        assert len(states) == 247
        assert set(states) <= {job.id for job in jobs}

    @pytest.mark.parametrize(
        ("changed", "state", "message", "cost"),
        [
            ({"status": "submitted"}, JobState.WAITING, "", None),
            ({"status": "processing"}, JobState.WAITING, "", None),
            ({"status": "succeeded", "outputs": []}, JobState.WAITING, "", None),
            ({"billing": []}, JobState.DONE, "5.04 s", None),
            ({"billing": None}, JobState.DONE, "5.04 s", None),
            (
                {"status": "failed", "message": "Image pixel is invalid", "billing": []},
                JobState.FAILED,
                "Image pixel is invalid",
                0.0,
            ),
            (
                {
                    "status": "failed",
                    "message": "Failure to pass the risk control system",
                    "billing": [],
                },
                JobState.REFUSED,
                "Failure to pass the risk control system",
                0.0,
            ),
            (
                {"status": "failed", "message": ""},
                JobState.FAILED,
                "it failed, and no reason was given",
                pytest.approx(0.42),
            ),
        ],
    )
    def test_states(
        self,
        service: Any,
        backend: KlingBackend,
        changed: dict[str, Any],
        state: JobState,
        message: str,
        cost: Any,
    ) -> None:
        """A refusal is told from a failure; failures are free unless they were billed."""
        service.script(service.says.data([_row(service, **changed)]))
        status = backend.poll([_job(service)])[ID]
        assert (status.state, status.message) == (state, message)
        if state is not JobState.WAITING:
            assert status.cost_usd == cost

    def test_an_unknown_word(
        self, service: Any, backend: KlingBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Is waited for, and mentioned once, however often it comes."""
        rows = [{"id": str(number), "status": "queueing"} for number in range(5)]
        service.script(service.says.data(rows))
        jobs = [_job(service, str(number)) for number in range(5)]
        for _ in range(3):
            assert {each.state for each in backend.poll(jobs).values()} == {JobState.WAITING}
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("lab.backends.kling", "WARNING")
        assert "'queueing'" in record.getMessage()

    def test_a_job_nobody_knows(
        self, service: Any, backend: KlingBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Is missing from the answer; that is said once."""
        service.script(service.says.data([]))
        assert backend.poll([_job(service)]) == backend.poll([_job(service)]) == {}
        assert len(caplog.records) == 1

    def test_a_job_of_another_place(
        self, service: Any, backend: KlingBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is asked nowhere else than where it was ordered, and no key goes there."""
        jobs = [_job(service, each, host="https://api-beijing.klingai.com") for each in "ab"]
        assert backend.poll(jobs) == {}
        assert not service.asked
        assert len(caplog.records) == 1

    @pytest.mark.parametrize(
        "data",
        [{"protocol": "newest"}, {"path": "//evil.example/x"}, {"path": None}, {"path": "/a?b"}],
    )
    def test_a_job_that_makes_no_sense(
        self, service: Any, backend: KlingBackend, data: dict[str, Any]
    ) -> None:
        """It spoils nothing for the others."""
        service.script(service.says.data([_row(service, id="2")]))
        assert set(backend.poll([_job(service, "1", **data), _job(service, "2")])) == {"2"}

    def test_both_protocols_at_once(self, service: Any, backend: KlingBackend) -> None:
        """Each job is asked about where it was ordered."""

        def answer(asked: Any) -> Any:
            if asked.path == "/tasks":
                return service.says.data([_row(service, id="1")])
            if asked.path.endswith("/2"):
                return service.says.data(_legacy_row(service, task_id="2"))
            return service.says.code(1201, 400)

        service.answer = answer
        jobs = [_job(service, "1"), *(_job(service, each, "legacy") for each in "23")]
        assert set(backend.poll(jobs)) == {"1", "2"}

    def test_part_of_an_answer(self, service: Any, backend: KlingBackend) -> None:
        """What one protocol says is kept when the other is away; nobody is an error."""
        service.answer = lambda asked: (
            service.says.data([_row(service, id="1")])
            if asked.path == "/tasks"
            else service.says(502)
        )
        legacy = [_job(service, each, "legacy") for each in "234"]
        assert set(backend.poll([_job(service, "1"), *legacy])) == {"1"}
        before = len(service.asked)
        with pytest.raises(ServiceError):
            backend.poll(legacy)
        assert len(service.asked) - before == 3  # the tries for the first; the others wait

    def test_no_key(self, service: Any, backend_of: BackendOf) -> None:
        """Says what to set."""
        with pytest.raises(AccountError, match="KLING_API_KEY"):
            backend_of(api_key=None).poll([_job(service)])

    def test_a_pair_cannot_ask_the_new_protocol(self, service: Any, backend_of: BackendOf) -> None:
        """Such jobs are missing from the answer."""
        backend = backend_of(api_key=None, access_key="ak", secret_key="sk")
        assert backend.poll([_job(service)]) == {}
        assert not service.asked


class TestFetch:
    """What the downloader does not see."""

    def test_by_another_process(
        self, service: Any, backend: KlingBackend, clip: bytes, tmp_path: Path
    ) -> None:
        """A job from a ledger is asked about once, then fetched."""
        service.answer = lambda asked: (
            service.says.data([_row(service)])
            if asked.path == "/tasks"
            else service.says(200, clip)
        )
        backend.fetch(_job(service), tmp_path / "a.mp4")
        backend.fetch(_job(service), tmp_path / "a.mp4")
        assert service.paths() == ["/tasks", "/media/clip.mp4", "/media/clip.mp4"]

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_an_old_link(
        self, service: Any, backend: KlingBackend, clip: bytes, tmp_path: Path, status: int
    ) -> None:
        """A fresh one is asked for, once; nothing is ordered."""
        said = [service.says(status), service.says(200, clip)]
        service.answer = lambda asked: (
            service.says.data([_row(service)]) if asked.path == "/tasks" else said.pop(0)
        )
        backend.poll([_job(service)])
        backend.fetch(_job(service), tmp_path / "a.mp4")
        assert service.paths() == ["/tasks", "/media/clip.mp4", "/tasks", "/media/clip.mp4"]
        assert not service.paths("POST")

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            ([], "30 days"),
            ([{"id": ID, "status": "processing"}], "no clip to fetch"),
            ([{"id": ID, "status": "failed", "message": "boo"}], "boo"),
            (None, "no list of jobs"),
        ],
    )
    def test_no_clip(
        self, service: Any, backend: KlingBackend, tmp_path: Path, rows: Any, reason: str
    ) -> None:
        """One line that names the job."""
        service.script(service.says.data(rows))
        with pytest.raises(FetchError, match=reason) as error:
            backend.fetch(_job(service), tmp_path / "a.mp4")
        assert ID in str(error.value)

    @pytest.mark.parametrize("account", [{"api_key": None}, {"url": "https://api.example.com"}])
    def test_not_from_here(
        self, service: Any, backend_of: BackendOf, tmp_path: Path, account: dict[str, Any]
    ) -> None:
        """Without the keys of that place it says which settings to change."""
        with pytest.raises(FetchError, match="KLING_"):
            backend_of(**account).fetch(_job(service), tmp_path / "a.mp4")
        assert not service.asked


class TestClosing:
    """Ctrl-C."""

    def test_it_may_be_closed_twice_and_unused(self) -> None:
        """Nothing is opened for it."""
        backend = KlingBackend(account=Account())
        backend.close()
        backend.close()

    def test_nothing_is_sent_any_more(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, tmp_path: Path
    ) -> None:
        """Every step says that it was closed."""
        backend.close()
        with pytest.raises(ServiceError, match="closed"):
            backend.submit(take_with(), "k-1")
        with pytest.raises(ServiceError, match="closed"):
            backend.poll([_job(service)])
        with pytest.raises(FetchError, match="closed"):
            backend.fetch(_job(service), tmp_path / "a.mp4")
        assert backend.lookup(take_with(), "k-1") == "unknown"
        assert not service.asked

    def test_a_lookup_ends(self, service: Any, backend_of: BackendOf, take_with: TakeWith) -> None:
        """Cut short between its two questions, it denies nothing."""
        backend = backend_of()
        backend._connections.transport().clock.sleep = lambda seconds: True
        service.answer = lambda asked: (
            service.says.data([]) if asked.path == "/tasks" else service.says.code(1201, 400)
        )
        assert backend.lookup(take_with(), "k-1") == "unknown"


def test_links_are_bounded(service: Any, backend: KlingBackend) -> None:
    """Polling ten thousand jobs keeps the links of the last few."""
    service.answer = lambda asked: service.says.data(
        [_row(service, id=each) for each in asked.query["task_ids"].split(",")]
    )
    backend.poll([_job(service, str(number)) for number in range(2500)])
    assert len(backend._links) == 2048
    assert replace(_job(service)).id == ID
