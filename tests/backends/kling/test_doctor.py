"""The checks cost nothing and report what holds, what does not, and what cannot be checked."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from lab.backends import Checkable, CheckResult
from lab.backends.kling import Account, KlingBackend
from lab.emulator import Account as TheirAccount
from lab.emulator import Fault
from lab.errors import AccountError
from lab.takes import Take

TakeWith = Callable[..., Take]
Emulated = Callable[..., tuple[KlingBackend, Any]]

# The requests that the documents call free, as the emulator logs them.
FREE = re.compile(
    r"GET (/tasks|/account/costs"
    r"|/v1/(videos/(image2video|text2video|omni-video)|images/generations)(/{id})?) \d+"
)
BOTH = ["address", "key", "unused id, new protocol", "unused id, legacy protocol"]
REST = ["used id", "media hosts", "packs"]
PAIR = ["address", "clock", "key", "unused id, legacy protocol", *REST]


def _check_results(backend: KlingBackend) -> dict[str, CheckResult]:
    return {row.name: row for row in backend.check()}


def _outcomes(backend: KlingBackend) -> dict[str, str]:
    return {name: row.outcome for name, row in _check_results(backend).items()}


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ({"protocol": "new"}, [*BOTH, *REST]),
        ({"protocol": "legacy"}, [*BOTH, *REST]),
        ({"pair": True}, PAIR),
    ],
    ids=["new", "legacy", "a pair of keys"],
)
def test_all_is_well(
    emulated: Emulated, take_with: TakeWith, how: dict[str, Any], names: list[str]
) -> None:
    """Every assumption holds for an account that has made a clip. Only free queries are sent,
    and no line shows a key."""
    backend, service = emulated(account=TheirAccount(balance_units=100), **how)
    backend.submit(take_with(), "i2v-1-1")
    before = service.requests
    rows = _check_results(backend)
    assert list(rows) == names
    assert {name: str(row) for name, row in rows.items() if row.outcome != "held"} == {}
    received = service.requests - before
    assert received
    assert all(FREE.fullmatch(request) for request in received), received
    assert service.charged_jobs == 1
    assert "100 of 100 units left (online)" in rows["packs"].observed
    shown = "".join(map(str, rows.values())) + str(dict(backend.describe()))
    theirs = service.account
    for secret in (theirs.api_key, theirs.access_key, theirs.secret_key):
        assert secret not in shown


def test_every_line_says_where_it_was_read(emulated: Emulated) -> None:
    """Each result has a page or another source, and a date."""
    backend, _ = emulated()
    for row in backend.check():
        assert re.search(r"https://kling\.ai/document-api/|published", row.source)
        assert re.fullmatch(r"2026-\d\d-\d\d", row.read_on)
        assert str(row).endswith(f"[{row.source}, {row.read_on}]")


def test_a_new_account(emulated: Emulated) -> None:
    """Without a job, look-ups and media hosts cannot be checked."""
    backend, service = emulated()
    rows = _check_results(backend)
    open_ones = {name for name, row in rows.items() if row.outcome == "could not be checked"}
    assert open_ones == {"used id", "media hosts"}
    assert "no job with an external id yet" in rows["used id"].observed
    assert "no pack" in rows["packs"].observed
    assert service.jobs == []


class TestTheAccount:
    """Keys and clocks."""

    def test_no_key(self) -> None:
        """Without a key nothing can be checked, and the message says what to set."""
        with pytest.raises(AccountError, match="set KLING_API_KEY"):
            KlingBackend(account=Account()).check()

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"api_key": "another"}, "KLING_REGION"),
            ({"account": TheirAccount(region="beijing")}, "a key works in one region only"),
            ({"pair": True, "secret_key": "another"}, "check the key"),
            ({"pair": True, "access_key": "another"}, "KLING_REGION"),
        ],
        ids=["unknown", "of another region", "wrong secret", "wrong access key"],
    )
    def test_a_wrong_key(self, emulated: Emulated, how: dict[str, Any], why: str) -> None:
        """The address holds, the key does not, and the rest cannot be checked."""
        if "secret_key" in how or "access_key" in how:
            how = {"account": TheirAccount(), **how}
        backend, _ = emulated(**how)
        rows = _check_results(backend)
        assert rows["address"].outcome == "held"
        assert rows["key"].outcome == "did not hold"
        assert why in rows["key"].observed
        left = [row.outcome for name, row in rows.items() if name in (*BOTH[2:], *REST)]
        assert set(left) == {"could not be checked"}

    def test_an_account_in_arrears(self, emulated: Emulated) -> None:
        """The result contains the service's reason and what to do."""
        backend, _ = emulated(Fault("api_error", code=1101))
        row = _check_results(backend)["key"]
        assert row.outcome == "did not hold"
        assert "pay the balance" in row.observed

    @pytest.mark.parametrize(
        ("seconds", "outcome"),
        [(-3600, "did not hold"), (0, "held"), (900, "held"), (3600, "did not hold")],
    )
    def test_a_clock_that_is_off(self, emulated: Emulated, seconds: float, outcome: str) -> None:
        """A wrong clock invalidates tokens. The result says by how much it is off, and the other
        checks go on."""
        faults = [Fault("clock_skew", seconds=seconds)] if seconds else []
        backend, _ = emulated(*faults, pair=True)
        rows = _check_results(backend)
        assert rows["clock"].outcome == outcome
        assert rows["key"].outcome == "held"
        if seconds == 3600:
            assert re.search(
                r"(3599|3600) s ahead of ours; set this machine's", rows["clock"].observed
            )

    def test_a_clock_does_not_matter_to_an_api_key(self, emulated: Emulated) -> None:
        """With an API key there is no result about the clock."""
        backend, _ = emulated(Fault("clock_skew", seconds=3600))
        assert "clock" not in _check_results(backend)


class TestTheService:
    """A service that differs from its documents."""

    @pytest.mark.parametrize(
        ("fault", "name", "seen"),
        [
            (
                {"kind": "api_error", "code": 1201, "path": "/tasks"},
                "unused id, new protocol",
                "code 1201",
            ),
            (
                {"kind": "api_error", "code": 1203, "path": "/v1/videos/omni-video/"},
                "unused id, legacy protocol",
                "/v1/videos/omni-video: there is no such model or resource (code 1203)",
            ),
            (
                {"kind": "api_error", "code": 1103, "path": "/account/costs"},
                "packs",
                "may not use this model",
            ),
        ],
        ids=str,
    )
    def test_another_answer(
        self, emulated: Emulated, take_with: TakeWith, fault: dict[str, Any], name: str, seen: str
    ) -> None:
        """The deviation is reported, and nothing else is."""
        backend, _ = emulated(Fault(**fault), protocol="legacy")
        backend.submit(take_with(), "i2v-1-1")
        rows = _check_results(backend)
        broken = {each for each, row in rows.items() if row.outcome == "did not hold"}
        assert broken == {name}
        assert seen in rows[name].observed

    def test_an_id_that_is_not_found_again(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A listed job that a query by its external id does not find is reported."""
        backend, _ = emulated(
            Fault("api_error", code=1201, path="/v1/videos/image2video/"), protocol="legacy"
        )
        backend.submit(take_with(), "i2v-1-1")
        row = _check_results(backend)["used id"]
        assert row.outcome == "did not hold"
        assert "does not find job" in row.observed

    @pytest.mark.parametrize(
        "fault",
        [Fault("drop_before"), Fault("html_502"), Fault("bad_json"), Fault("server_error")],
        ids=lambda fault: str(fault.kind),
    )
    def test_no_connection(self, emulated: Emulated, fault: Fault) -> None:
        """The address does not hold, and the rest cannot be checked."""
        backend, _ = emulated(fault)
        outcomes = _outcomes(backend)
        assert outcomes.pop("address") == "did not hold"
        assert set(outcomes.values()) == {"could not be checked"}

    def test_trouble_on_the_way_is_no_finding(
        self, emulated: Emulated, take_with: TakeWith
    ) -> None:
        """A query that fails once is retried; one that keeps failing could not be checked."""
        backend, service = emulated(Fault("html_502", path="/account", method="GET"))
        backend.submit(take_with(), "i2v-1-1")
        service.add_fault(Fault("drop_before", times=1, method="GET", path="/tasks"))
        outcomes = _outcomes(backend)
        assert outcomes.pop("packs") == "could not be checked"
        assert set(outcomes.values()) == {"held"}

    def test_clips_on_another_host(
        self, service: Any, backend_of: Callable[..., KlingBackend]
    ) -> None:
        """The result says which host to allow; the link is not followed."""
        job = {
            "task_id": "1",
            "task_status": "succeed",
            "task_result": {"videos": [{"url": "https://clips.example/a.mp4?sign=secret"}]},
        }

        def answer(received: Any) -> Any:
            if received.path.endswith("image2video"):
                return service.reply.data([job])
            if received.path == "/account/costs":
                return service.reply.data({"code": 0})
            if received.path == "/tasks":
                return service.reply.data([])
            return service.reply.code(1201)

        service.answer = answer
        row = _check_results(backend_of())["media hosts"]
        assert row.outcome == "did not hold"
        assert "KLING_MEDIA_HOSTS=clips.example" in row.observed
        assert "secret" not in str(row)


class TestSettings:
    """The names and locations of settings are listed, never their values."""

    def test_names_and_places(self, monkeypatch: pytest.MonkeyPatch, no_account: Any) -> None:
        """The environment overrides the file, and KLING_ overrides KLINGAI_."""
        no_account.write_text("api_key = 'file-secret'\nregion = 'beijing'\n")
        no_account.chmod(0o600)
        monkeypatch.setenv("KLING_API_KEY", "secret-1")
        monkeypatch.setenv("KLINGAI_API_KEY", "secret-2")
        monkeypatch.setenv("KLING_POLL_S", "")
        backend = KlingBackend()
        assert isinstance(backend, Checkable)
        settings = [str(setting) for setting in backend.configured_settings()]
        assert settings == [
            "KLING_SETTINGS (the environment)",
            "KLING_API_KEY (the environment)",
            "KLINGAI_API_KEY (the environment, overridden)",
            f"api_key ({no_account}, overridden)",
            f"region ({no_account})",
        ]
        about = backend.describe()
        assert about["address"] == "https://api-beijing.klingai.com (region beijing)"
        assert "secret" not in " ".join([*settings, *about.values()])
