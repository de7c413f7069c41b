"""A take is submitted, polled and fetched, and nothing is ever submitted twice."""

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
    route = {"host": service.url, "protocol": protocol, "path": PATHS.get(protocol)}
    return Job("kling", identity, "take", {**route, "makes": "clip", **data})


class TestSuccess:
    """Runs without errors."""

    def test_submit_poll_fetch(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, clip: bytes, tmp_path: Path
    ) -> None:
        """One submission, one query, one download without a key; the bill is read."""

        def answer(received: Any) -> Any:
            if received.method == "POST":
                return service.reply.data({"id": ID, "status": "submitted", "external_id": "k-1"})
            if received.path == "/tasks":
                return service.reply.data([_row(service)])
            return service.reply(200, clip)

        service.answer = answer
        job = backend.submit(take_with(), "k-1")
        status = backend.poll([job])[job.id]
        assert (status.state, status.cost_usd) == (JobState.DONE, pytest.approx(0.42))
        assert status.message == "5.04 s"
        fetched = backend.fetch(job, tmp_path / "clip.mp4")
        assert probe(tmp_path / "clip.mp4").frames == 8
        assert fetched.notes == ("still: sent without its metadata",)
        assert dict(fetched.not_honoured)["duration_s"]
        assert [received.path for received in service.requests] == [
            "/image-to-video/kling-3.0",
            "/tasks",
            "/media/clip.mp4",
        ]
        assert "authorization" not in service.requests[-1].headers
        assert service.requests[0].headers["authorization"].startswith("Bearer api-key-kling-")

    def test_legacy(
        self,
        service: Any,
        backend_of: BackendOf,
        take_with: TakeWith,
        clip: bytes,
        tmp_path: Path,
    ) -> None:
        """The same with a key pair in the legacy protocol."""

        def answer(received: Any) -> Any:
            if received.method == "POST":
                return service.reply.data({"task_id": ID, "task_status": "submitted"})
            if received.path == f"/v1/videos/image2video/{ID}":
                return service.reply.data(_legacy_row(service))
            return service.reply(200, clip)

        service.answer = answer
        backend = backend_of(api_key=None, access_key="ak", secret_key="sk")
        job = backend.submit(take_with(), "k-1")
        assert backend.poll([job])[ID].cost_usd == pytest.approx(0.42)
        backend.fetch(job, tmp_path / "clip.mp4")
        assert job.data["protocol"] == "legacy"
        assert service.requests[0].headers["authorization"].startswith("Bearer eyJ")

    def test_a_still_from_text(
        self,
        service: Any,
        backend: KlingBackend,
        take_with: TakeWith,
        stills_dir: Path,
        tmp_path: Path,
    ) -> None:
        """It is submitted in the legacy protocol with the same key, and a picture is fetched."""

        def answer(received: Any) -> Any:
            if received.method == "POST":
                return service.reply.data({"task_id": ID, "task_status": "submitted"})
            if received.path == f"/v1/images/generations/{ID}":
                images = [{"index": 0, "url": f"{service.url}/media/still.jpg"}]
                row = {"task_result": {"images": images}, "final_unit_deduction": "8"}
                return service.reply.data(_legacy_row(service, **row))
            return service.reply(200, (stills_dir / "coffee.jpg").read_bytes())

        service.answer = answer
        job = backend.submit(take_with(still=None, makes="still"), "k-1")
        assert job.data["model"] == "kling-v3"
        assert backend.poll([job])[ID].cost_usd == pytest.approx(0.028)
        fetched = backend.fetch(job, tmp_path / "still.jpg")
        assert fetched.not_honoured == ()
        assert (tmp_path / "still.jpg").read_bytes() == (stills_dir / "coffee.jpg").read_bytes()

    def test_the_table_knows_it(self) -> None:
        """It is registered, and its capabilities need no account."""
        assert BACKENDS["kling"] is KlingBackend
        can = KlingBackend.capabilities
        assert (can.duration_s, can.duration_step_s, can.fps) == ((3, 15), 1, (24.0,))
        assert can.resolutions == ("720p", "1080p", "4k")
        assert can.lookup
        assert (can.seed, can.cancel, can.simulated) == (False, False, False)

    def test_the_account_sets_the_pace(self, backend_of: BackendOf) -> None:
        """The account sets slots and pauses; the class has the defaults."""
        can = backend_of(concurrency=5, poll_s=0.5).capabilities
        assert (can.concurrency, can.poll_every_s) == (5, 0.5)
        assert KlingBackend.capabilities.concurrency == 20


class TestJobs:
    """The data of a job."""

    @pytest.fixture
    def job(self, service: Any, backend: KlingBackend, take_with: TakeWith) -> Job:
        """A job that was just submitted."""
        service.script(service.reply.data({"id": ID, "status": "submitted"}))
        return backend.submit(take_with(), "k-1")

    def test_it_is_small_and_plain(self, job: Job) -> None:
        """It is small JSON without pictures or keys, and has all digits of the id."""
        text = json.dumps(job.to_json(), allow_nan=False)
        assert len(text) < 2000
        assert "api-key" not in text
        assert Job.from_json(json.loads(text)) == job
        assert job.id == ID

    def test_it_says_where_it_is(self, service: Any, job: Job) -> None:
        """It contains all that another process needs: host, protocol, path, model, external id."""
        wanted = {"host", "region", "protocol", "path", "model", "key"}
        assert {name: job.data[name] for name in wanted} == {
            "host": service.url,
            "region": "",
            "protocol": "new",
            "path": "/image-to-video/kling-3.0",
            "model": "kling-3.0",
            "key": "k-1",
        }


class TestSubmissions:
    """Errors while submitting."""

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
        """The exception says what can be done and names the take; one request is sent."""
        service.script(service.reply.code(code, status))
        take = take_with()
        with pytest.raises(kind, match=take.id):
            backend.submit(take, "k-1")
        assert len(service.requests) == 1

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
    def test_a_reply_without_a_job(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, data: Any
    ) -> None:
        """The take may have been bought."""
        service.script(service.reply.data(data))
        with pytest.raises(SubmitUncertain):
            backend.submit(take_with(), "k-1")

    def test_what_blocks_is_not_sent(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """A blocking limit is checked even if the caller did not check it."""
        with pytest.raises(BackendError, match="always makes sound"):
            backend.submit(take_with(model="kling-3.0-turbo"), "k-1")
        assert not service.requests

    def test_a_missing_still(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, coffee: Any, tmp_path: Path
    ) -> None:
        """Nothing is sent; the message names the take and the file."""
        take = take_with(still=coffee.at(tmp_path / "missing.jpg"))
        with pytest.raises(BackendError, match=rf"{take.id}.*missing\.jpg"):
            backend.submit(take, "k-1")
        assert not service.requests

    def test_ten_thousand_of_one_still(
        self,
        service: Any,
        backend: KlingBackend,
        take_with: TakeWith,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The still is encoded once for all threads."""
        service.script(service.reply.data({"id": ID, "status": "submitted"}))
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
        assert len(service.requests) == 16
        assert len(made) == 1
        keys = {received.json["options"]["external_task_id"] for received in service.requests}
        assert keys == {take.id for take in takes}


class TestDuplicateKeys:
    """The service rejects a used external id with a code that has several meanings."""

    def _reject(self, service: Any, message: str, *keys: Any) -> None:
        def answer(received: Any) -> Any:
            if received.method == "POST":
                return service.reply.code(1201, 400, message)
            if received.path != "/tasks":  # the legacy protocol does not know the job
                return service.reply.code(1201, 400, "task not found")
            return service.reply.data([_row(service, external_id=key) for key in keys])

        service.answer = answer

    @pytest.mark.parametrize("message", ["external_task_id already exists", "bad"])
    def test_the_earlier_order_is_adopted(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, message: str
    ) -> None:
        """If the external id finds a job, that job is ours, whatever the message."""
        self._reject(service, message, "k-1")
        job = backend.submit(take_with(), "k-1")
        assert (job.id, job.data["key"]) == (ID, "k-1")
        assert service.paths("POST") == ["/image-to-video/kling-3.0"]

    def test_a_parameter_that_is_wrong(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """Both look-ups in both protocols find no job, so a parameter was wrong."""
        self._reject(service, "duration is invalid")
        with pytest.raises(BackendError, match="duration is invalid"):
            backend.submit(take_with(), "k-1")

    @pytest.mark.parametrize("keys", [(), ("another",)])
    def test_an_uncertain_result(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, keys: tuple[str, ...]
    ) -> None:
        """A message about the id without a job, or a job with another id, is uncertain."""
        self._reject(service, "external_task_id already exists", *keys)
        with pytest.raises(SubmitUncertain):
            backend.submit(take_with(), "k-1")

    def test_a_lookup_that_fails(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """If the look-up fails, the take may have been bought."""
        service.answer = lambda received: (
            service.reply.code(1201, 400) if received.method == "POST" else service.reply(502)
        )
        with pytest.raises(SubmitUncertain):
            backend.submit(take_with(), "k-1")


class TestLookup:
    """A look-up finds a job, or returns absent or unknown."""

    def _answers(self, service: Any, new: Any, legacy: Any) -> None:
        service.answer = lambda received: new if received.path == "/tasks" else legacy

    def test_found(self, service: Any, backend: KlingBackend, take_with: TakeWith) -> None:
        """The external id finds the job at once; another process can continue it."""
        take = take_with()
        self._answers(service, service.reply.data([_row(service)]), service.reply(500))
        job = backend.lookup(take, "k-1")
        assert isinstance(job, Job)
        assert (job.id, job.take_id, job.data["path"]) == (ID, take.id, PATHS["new"])
        assert service.requests[0].query == {"external_task_ids": "k-1"}

    def test_absent(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, slept: list[float]
    ) -> None:
        """Only if neither protocol finds it, in two look-ups with a pause between."""
        self._answers(service, service.reply.data([]), service.reply.code(1201, 400))
        assert backend.lookup(take_with(), "k-1") == "absent"
        assert service.paths() == ["/tasks", f"{PATHS['legacy']}/k-1"] * 2
        assert slept == [2.0]

    def test_late(self, service: Any, backend: KlingBackend, take_with: TakeWith) -> None:
        """A job that appears only in the second look-up is found."""
        replies = [service.reply.data([]), service.reply.data([_row(service)])]
        service.answer = lambda received: (
            replies.pop(0) if received.path == "/tasks" else service.reply.code(1201, 400)
        )
        assert isinstance(backend.lookup(take_with(), "k-1"), Job)

    def test_ordered_in_the_other_protocol(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """KLING_PROTOCOL may have changed; the job contains its own protocol."""
        self._answers(service, service.reply.data([]), service.reply.data(_legacy_row(service)))
        job = backend.lookup(take_with(), "k-1")
        assert isinstance(job, Job)
        assert (job.data["protocol"], job.data["path"]) == ("legacy", PATHS["legacy"])

    def test_only_what_the_keys_open(
        self, service: Any, backend_of: BackendOf, take_with: TakeWith
    ) -> None:
        """With a key pair only the legacy protocol is queried."""
        service.script(service.reply.code(1201, 400))
        backend = backend_of(api_key=None, access_key="ak", secret_key="sk")
        assert backend.lookup(take_with(), "k-1") == "absent"
        assert service.paths() == [f"{PATHS['legacy']}/k-1"] * 2

    @pytest.mark.parametrize(
        "reply",
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
        reply: dict[str, Any],
    ) -> None:
        """Any other reply is not "absent", because an absent take is submitted again."""
        self._answers(service, service.reply(**reply), service.reply.code(1201, 400))
        assert backend.lookup(take_with(), "k-1") == "unknown"

    def test_unknown_in_the_other_protocol(
        self, service: Any, backend: KlingBackend, take_with: TakeWith
    ) -> None:
        """If one protocol gives no answer, the result is unknown."""
        self._answers(service, service.reply.data([]), service.reply(502))
        assert backend.lookup(take_with(), "k-1") == "unknown"


class TestPoll:
    """The states of jobs."""

    def test_no_jobs(self, service: Any, backend: KlingBackend) -> None:
        """Nothing is sent."""
        assert backend.poll([]) == {}
        assert not service.requests

    def test_batches(self, service: Any, backend: KlingBackend) -> None:
        """A hundred jobs per request, matched by id, in any order."""

        def answer(received: Any) -> Any:
            ids = received.query["task_ids"].split(",")
            rows = [{"id": each, "status": "processing"} for each in reversed(ids)]
            return service.reply.data(rows[1:])

        service.answer = answer
        jobs = [_job(service, f"{number:018d}") for number in range(250)]
        states = backend.poll(jobs)
        assert [len(a.query["task_ids"].split(",")) for a in service.requests] == [100, 100, 50]
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
        """Refusals differ from failures; failures are free unless they were billed."""
        service.script(service.reply.data([_row(service, **changed)]))
        status = backend.poll([_job(service)])[ID]
        assert (status.state, status.message) == (state, message)
        if state is not JobState.WAITING:
            assert status.cost_usd == cost

    def test_an_unknown_state(
        self, service: Any, backend: KlingBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A job in an unknown state is waited for, and the state is logged once."""
        rows = [{"id": str(number), "status": "queueing"} for number in range(5)]
        service.script(service.reply.data(rows))
        jobs = [_job(service, str(number)) for number in range(5)]
        for _ in range(3):
            assert {each.state for each in backend.poll(jobs).values()} == {JobState.WAITING}
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("lab.backends.kling", "WARNING")
        assert "'queueing'" in record.getMessage()

    def test_an_unknown_job(
        self, service: Any, backend: KlingBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is missing from the result, and that is logged once."""
        service.script(service.reply.data([]))
        assert backend.poll([_job(service)]) == backend.poll([_job(service)]) == {}
        assert len(caplog.records) == 1

    def test_a_job_of_another_host(
        self, service: Any, backend: KlingBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A job is queried only at its own host, so no key goes elsewhere."""
        jobs = [_job(service, each, host="https://api-beijing.klingai.com") for each in "ab"]
        assert backend.poll(jobs) == {}
        assert not service.requests
        assert len(caplog.records) == 1

    @pytest.mark.parametrize(
        "data",
        [{"protocol": "newest"}, {"path": "//evil.example/x"}, {"path": None}, {"path": "/a?b"}],
    )
    def test_an_invalid_job(
        self, service: Any, backend: KlingBackend, data: dict[str, Any]
    ) -> None:
        """Other jobs are polled all the same."""
        service.script(service.reply.data([_row(service, id="2")]))
        assert set(backend.poll([_job(service, "1", **data), _job(service, "2")])) == {"2"}

    def test_both_protocols_at_once(self, service: Any, backend: KlingBackend) -> None:
        """Each job is queried in its own protocol."""

        def answer(received: Any) -> Any:
            if received.path == "/tasks":
                return service.reply.data([_row(service, id="1")])
            if received.path.endswith("/2"):
                return service.reply.data(_legacy_row(service, task_id="2"))
            return service.reply.code(1201, 400)

        service.answer = answer
        jobs = [_job(service, "1"), *(_job(service, each, "legacy") for each in "23")]
        assert set(backend.poll(jobs)) == {"1", "2"}

    def test_one_protocol_fails(self, service: Any, backend: KlingBackend) -> None:
        """Results of one protocol are returned if the other fails; no result at all is an error."""
        service.answer = lambda received: (
            service.reply.data([_row(service, id="1")])
            if received.path == "/tasks"
            else service.reply(502)
        )
        legacy = [_job(service, each, "legacy") for each in "234"]
        assert set(backend.poll([_job(service, "1"), *legacy])) == {"1"}
        before = len(service.requests)
        with pytest.raises(ServiceError):
            backend.poll(legacy)
        assert (
            len(service.requests) - before == 3
        )  # the retries of the first query; the other jobs are not queried

    def test_no_key(self, service: Any, backend_of: BackendOf) -> None:
        """The message says what to set."""
        with pytest.raises(AccountError, match="KLING_API_KEY"):
            backend_of(api_key=None).poll([_job(service)])

    def test_a_pair_cannot_ask_the_new_protocol(self, service: Any, backend_of: BackendOf) -> None:
        """Jobs of the new protocol are missing from the result."""
        backend = backend_of(api_key=None, access_key="ak", secret_key="sk")
        assert backend.poll([_job(service)]) == {}
        assert not service.requests


class TestFetch:
    """What the backend does around the downloader."""

    def test_by_another_process(
        self, service: Any, backend: KlingBackend, clip: bytes, tmp_path: Path
    ) -> None:
        """A job from a ledger is queried once and then fetched."""
        service.answer = lambda received: (
            service.reply.data([_row(service)])
            if received.path == "/tasks"
            else service.reply(200, clip)
        )
        backend.fetch(_job(service), tmp_path / "a.mp4")
        backend.fetch(_job(service), tmp_path / "a.mp4")
        assert service.paths() == ["/tasks", "/media/clip.mp4", "/media/clip.mp4"]

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_an_expired_link(
        self, service: Any, backend: KlingBackend, clip: bytes, tmp_path: Path, status: int
    ) -> None:
        """A new link is queried, once; nothing is submitted."""
        replies = [service.reply(status), service.reply(200, clip)]
        service.answer = lambda received: (
            service.reply.data([_row(service)]) if received.path == "/tasks" else replies.pop(0)
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
        """The message is one line that names the job."""
        service.script(service.reply.data(rows))
        with pytest.raises(FetchError, match=reason) as error:
            backend.fetch(_job(service), tmp_path / "a.mp4")
        assert ID in str(error.value)

    @pytest.mark.parametrize("account", [{"api_key": None}, {"url": "https://api.example.com"}])
    def test_without_access(
        self, service: Any, backend_of: BackendOf, tmp_path: Path, account: dict[str, Any]
    ) -> None:
        """Without the right keys or address, the message says which settings to change."""
        with pytest.raises(FetchError, match="KLING_"):
            backend_of(**account).fetch(_job(service), tmp_path / "a.mp4")
        assert not service.requests


class TestClosing:
    """Closing the backend, as on Ctrl-C."""

    def test_it_may_be_closed_twice_and_unused(self) -> None:
        """Closing opens no connection."""
        backend = KlingBackend(account=Account())
        backend.close()
        backend.close()

    def test_nothing_is_sent_any_more(
        self, service: Any, backend: KlingBackend, take_with: TakeWith, tmp_path: Path
    ) -> None:
        """Every step reports that the backend is closed."""
        backend.close()
        with pytest.raises(ServiceError, match="closed"):
            backend.submit(take_with(), "k-1")
        with pytest.raises(ServiceError, match="closed"):
            backend.poll([_job(service)])
        with pytest.raises(FetchError, match="closed"):
            backend.fetch(_job(service), tmp_path / "a.mp4")
        assert backend.lookup(take_with(), "k-1") == "unknown"
        assert not service.requests

    def test_a_lookup_ends(self, service: Any, backend_of: BackendOf, take_with: TakeWith) -> None:
        """A look-up that is cut short returns unknown."""
        backend = backend_of()
        backend._connections.transport().clock.sleep = lambda seconds: True
        service.answer = lambda received: (
            service.reply.data([]) if received.path == "/tasks" else service.reply.code(1201, 400)
        )
        assert backend.lookup(take_with(), "k-1") == "unknown"


def test_links_are_bounded(service: Any, backend: KlingBackend) -> None:
    """After polling thousands of jobs, only the latest links are stored."""
    service.answer = lambda received: service.reply.data(
        [_row(service, id=each) for each in received.query["task_ids"].split(",")]
    )
    backend.poll([_job(service, str(number)) for number in range(2500)])
    assert len(backend._links) == 2048
    assert replace(_job(service)).id == ID
