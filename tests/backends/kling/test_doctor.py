"""The examination costs nothing, and tells what holds, what does not, and what nobody knows."""

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

# Questions that the documents call free, as the emulator counts them.
FREE = re.compile(
    r"GET (/tasks|/account/costs"
    r"|/v1/(videos/(image2video|text2video|omni-video)|images/generations)(/{id})?) \d+"
)
BOTH = ["address", "key", "unknown id, new protocol", "unknown id, legacy protocol"]
REST = ["known id", "media hosts", "packs"]
PAIR = ["address", "clock", "key", "unknown id, legacy protocol", *REST]


def _check_link(backend: KlingBackend) -> dict[str, CheckResult]:
    return {row.name: row for row in backend.check()}


def _outcomes(backend: KlingBackend) -> dict[str, str]:
    return {name: row.outcome for name, row in _check_link(backend).items()}


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
    """Every line holds for an account that has made a clip; nothing is ordered, only free
    questions are asked, and no line shows a key."""
    backend, service = emulated(account=TheirAccount(balance_units=100), **how)
    backend.submit(take_with(), "i2v-1-1")
    before = service.requests
    rows = _check_link(backend)
    assert list(rows) == names
    assert {name: str(row) for name, row in rows.items() if row.outcome != "held"} == {}
    asked = service.requests - before
    assert asked
    assert all(FREE.fullmatch(request) for request in asked), asked
    assert service.charged_jobs == 1
    assert "100 of 100 units left (online)" in rows["packs"].observed
    shown = "".join(map(str, rows.values())) + str(dict(backend.describe()))
    theirs = service.account
    for secret in (theirs.api_key, theirs.access_key, theirs.secret_key):
        assert secret not in shown


def test_every_line_says_where_it_was_read(emulated: Emulated) -> None:
    """With a page, or whose probe it was, and the day."""
    backend, _ = emulated()
    for row in backend.check():
        assert re.search(r"https://kling\.ai/document-api/|published", row.source)
        assert re.fullmatch(r"2026-\d\d-\d\d", row.read_on)
        assert str(row).endswith(f"[{row.source}, {row.read_on}]")


def test_a_new_account(emulated: Emulated) -> None:
    """Without a job nobody can say whether one is found again, and where clips lie."""
    backend, service = emulated()
    rows = _check_link(backend)
    open_ones = {name for name, row in rows.items() if row.outcome == "could not be checked"}
    assert open_ones == {"known id", "media hosts"}
    assert "no job with an external id yet" in rows["known id"].observed
    assert "no pack" in rows["packs"].observed
    assert service.jobs == []


class TestTheAccount:
    """Keys and clocks."""

    def test_no_key(self) -> None:
        """There is nothing to ask with, and the line says what to set."""
        with pytest.raises(AccountError, match="set KLING_API_KEY"):
            KlingBackend(account=Account()).check()

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"api_key": "another"}, "KLING_REGION"),
            ({"account": TheirAccount(region="beijing")}, "a key is good in one region only"),
            ({"pair": True, "secret_key": "another"}, "check the key"),
            ({"pair": True, "access_key": "another"}, "KLING_REGION"),
        ],
        ids=["unknown", "of another region", "wrong secret", "wrong access key"],
    )
    def test_a_wrong_key(self, emulated: Emulated, how: dict[str, Any], why: str) -> None:
        """The address answers, the key is named, and the rest is left open."""
        if "secret_key" in how or "access_key" in how:
            how = {"account": TheirAccount(), **how}
        backend, _ = emulated(**how)
        rows = _check_link(backend)
        assert rows["address"].outcome == "held"
        assert rows["key"].outcome == "did not hold"
        assert why in rows["key"].observed
        left = [row.outcome for name, row in rows.items() if name in (*BOTH[2:], *REST)]
        assert set(left) == {"could not be checked"}

    def test_an_account_in_arrears(self, emulated: Emulated) -> None:
        """The reason is the service's, and what to do is said."""
        backend, _ = emulated(Fault("api_error", code=1101))
        row = _check_link(backend)["key"]
        assert row.outcome == "did not hold"
        assert "pay the balance" in row.observed

    @pytest.mark.parametrize(
        ("seconds", "outcome"),
        [(-3600, "did not hold"), (0, "held"), (900, "held"), (3600, "did not hold")],
    )
    def test_a_clock_that_is_off(self, emulated: Emulated, seconds: float, outcome: str) -> None:
        """Tokens are dated by this machine, so its clock matters; by how much it is off is said,
        and the rest is checked all the same."""
        faults = [Fault("clock_skew", seconds=seconds)] if seconds else []
        backend, _ = emulated(*faults, pair=True)
        rows = _check_link(backend)
        assert rows["clock"].outcome == outcome
        assert rows["key"].outcome == "held"
        if seconds == 3600:
            assert re.search(
                r"(3599|3600) s ahead of ours; set this machine's", rows["clock"].observed
            )

    def test_a_clock_does_not_matter_to_an_api_key(self, emulated: Emulated) -> None:
        """So there is no line about it."""
        backend, _ = emulated(Fault("clock_skew", seconds=3600))
        assert "clock" not in _check_link(backend)


class TestTheService:
    """One that is otherwise than its documents."""

    @pytest.mark.parametrize(
        ("fault", "name", "seen"),
        [
            (
                {"kind": "api_error", "code": 1201, "path": "/tasks"},
                "unknown id, new protocol",
                "code 1201",
            ),
            (
                {"kind": "api_error", "code": 1203, "path": "/v1/videos/omni-video/"},
                "unknown id, legacy protocol",
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
        """Is named, and nothing else is."""
        backend, _ = emulated(Fault(**fault), protocol="legacy")
        backend.submit(take_with(), "i2v-1-1")
        rows = _check_link(backend)
        broken = {each for each, row in rows.items() if row.outcome == "did not hold"}
        assert broken == {name}
        assert seen in rows[name].observed

    def test_an_id_that_is_not_found_again(self, emulated: Emulated, take_with: TakeWith) -> None:
        """A list shows a job that its own external id does not find."""
        backend, _ = emulated(
            Fault("api_error", code=1201, path="/v1/videos/image2video/"), protocol="legacy"
        )
        backend.submit(take_with(), "i2v-1-1")
        row = _check_link(backend)["known id"]
        assert row.outcome == "did not hold"
        assert "is not found by it" in row.observed

    @pytest.mark.parametrize(
        "fault",
        [Fault("drop_before"), Fault("html_502"), Fault("bad_json"), Fault("server_error")],
        ids=lambda fault: str(fault.kind),
    )
    def test_nobody_there(self, emulated: Emulated, fault: Fault) -> None:
        """The address is what did not hold; nothing is said of the rest."""
        backend, _ = emulated(fault)
        outcomes = _outcomes(backend)
        assert outcomes.pop("address") == "did not hold"
        assert set(outcomes.values()) == {"could not be checked"}

    def test_trouble_on_the_way_is_no_finding(
        self, emulated: Emulated, take_with: TakeWith
    ) -> None:
        """What fails once is asked again; what goes on failing could not be checked."""
        backend, service = emulated(Fault("html_502", path="/account", method="GET"))
        backend.submit(take_with(), "i2v-1-1")
        service.add_fault(Fault("drop_before", times=1, method="GET", path="/tasks"))
        outcomes = _outcomes(backend)
        assert outcomes.pop("packs") == "could not be checked"
        assert set(outcomes.values()) == {"held"}

    def test_clips_on_another_host(
        self, service: Any, backend_of: Callable[..., KlingBackend]
    ) -> None:
        """A link that would not be followed says which host to allow; it is not followed."""
        job = {
            "task_id": "1",
            "task_status": "succeed",
            "task_result": {"videos": [{"url": "https://clips.example/a.mp4?sign=secret"}]},
        }

        def answer(asked: Any) -> Any:
            if asked.path.endswith("image2video"):
                return service.says.data([job])
            if asked.path == "/account/costs":
                return service.says.data({"code": 0})
            if asked.path == "/tasks":
                return service.says.data([])
            return service.says.code(1201)

        service.answer = answer
        row = _check_link(backend_of())["media hosts"]
        assert row.outcome == "did not hold"
        assert "KLING_MEDIA_HOSTS=clips.example" in row.observed
        assert "secret" not in str(row)


class TestSettings:
    """What was found, and never what it says."""

    def test_names_and_places(self, monkeypatch: pytest.MonkeyPatch, no_account: Any) -> None:
        """The environment comes before the file, and the older spelling after the newer."""
        no_account.write_text("api_key = 'file-secret'\nregion = 'beijing'\n")
        no_account.chmod(0o600)
        monkeypatch.setenv("KLING_API_KEY", "secret-1")
        monkeypatch.setenv("KLINGAI_API_KEY", "secret-2")
        monkeypatch.setenv("KLING_POLL_S", "")
        backend = KlingBackend()
        assert isinstance(backend, Checkable)
        found = [str(setting) for setting in backend.given_settings()]
        assert found == [
            "KLING_SETTINGS (the environment)",
            "KLING_API_KEY (the environment)",
            "KLINGAI_API_KEY (the environment, overruled)",
            f"api_key ({no_account}, overruled)",
            f"region ({no_account})",
        ]
        about = backend.describe()
        assert about["address"] == "https://api-beijing.klingai.com (region beijing)"
        assert "secret" not in " ".join([*found, *about.values()])
