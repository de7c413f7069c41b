"""The plan: the price of a sweep and what its backend cannot do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.backends import Unsupported
from lab.errors import BackendError, MoneyError
from lab.stills import Still
from lab.sweeps import Plan, Sweep, plan


@pytest.fixture
def sweep(coffee: Still) -> Sweep:
    """Two prompts, one of them vague, with two repeats."""
    return Sweep.of(
        stills=[coffee.path.resolve()],
        prompts=["slow push in; steam rises", "make it move"],
        settings={"duration_s": 2, "seed": 1},
        repeats=2,
        name="p",
        question="which?",
    )


def _of(still: Still, **settings: Any) -> Plan:
    return plan(Sweep.of(stills=[still.path.resolve()], prompts=["pan left"], settings=settings))


def test_a_plan_counts_takes_and_prices_them(sweep: Sweep) -> None:
    """Takes are trials times repeats; offline they are free; time and disk are proportional."""
    priced = plan(sweep)
    assert (priced.trials, priced.takes, priced.done) == (2, 4, 0)
    assert (priced.low_usd, priced.high_usd) == (0, 0)
    assert priced.seconds > 0
    assert priced.bytes > 0
    assert priced.simulated
    twice = plan(replace(sweep, repeats=4))
    assert twice.seconds == pytest.approx(2 * priced.seconds)
    assert twice.bytes == 2 * priced.bytes


def test_existing_takes_are_not_priced(sweep: Sweep) -> None:
    """Time and disk cover only the remaining takes."""
    ids = [take.id for _, take in sweep.takes()]
    rest = plan(sweep, done={ids[0]})
    assert rest.done == 1
    assert rest.seconds == pytest.approx(plan(sweep).seconds * 3 / 4)
    none = plan(sweep, done=set(ids))
    assert (none.done, none.seconds, none.bytes) == (4, 0, 0)
    assert ("already done", "4 of 4") in none.lines()


@pytest.mark.parametrize(
    ("high_usd", "budget_usd", "allowed"),
    [(4.01, 4.0, False), (4.0, 4.0, True), (0.01, 0.0, False), (99.0, None, True)],
)
def test_a_plan_over_budget_is_refused(
    sweep: Sweep, high_usd: float, budget_usd: float | None, allowed: bool
) -> None:
    """The high price decides: it may equal the budget but not exceed it."""
    expensive = replace(
        plan(sweep),
        sweep=replace(sweep, budget_usd=budget_usd),
        low_usd=high_usd / 2,
        high_usd=high_usd,
    )
    if allowed:
        expensive.check()
    else:
        with pytest.raises(MoneyError, match=rf"{high_usd:.2f} USD and the budget is"):
            expensive.check()


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"fps": 23.0}, "fps '23'"),
        ({"duration_s": 20}, "duration_s '20'"),
        ({"flaws": 9}, "flaws '9'"),
        ({"flaws": "many"}, "flaws 'many'"),
    ],
)
def test_what_the_backend_cannot_make_is_refused(
    coffee: Still, settings: dict[str, Any], names: str
) -> None:
    """A setting out of the backend's range blocks the plan and says what is accepted."""
    priced = _of(coffee, **settings)
    with pytest.raises(BackendError, match="backend offline: ") as caught:
        priced.check()
    assert names in str(caught.value)
    assert any(label == "cannot" for label, _ in priced.lines())


def test_an_ignored_setting_does_not_block(coffee: Still) -> None:
    """It is listed with its trials, and the plan can run."""
    priced = plan(
        Sweep.of(
            stills=[coffee.path.resolve()],
            prompts=["slow push in, cinematic", "pan left"],
        )
    )
    priced.check()
    ((item, count),) = priced.unsupported
    assert (item.setting, item.blocking, count) == ("mood", False, 1)
    assert any(label == "differs" and "1 of 2" in text for label, text in priced.lines())


def test_blocking_settings_come_first(sweep: Sweep, coffee: Still) -> None:
    """Settings that stop the run are listed before those that are ignored."""
    priced = plan(
        Sweep.of(
            stills=[coffee.path.resolve()],
            prompts=["slow push in, cinematic"],
            settings={"fps": [24, 23]},
        )
    )
    assert [item.blocking for item, _ in priced.unsupported] == [True, False]


def test_findings_are_listed_once(sweep: Sweep) -> None:
    """A finding about a still or prompt is listed once for all its trials."""
    priced = plan(sweep)
    kinds = [(about, finding.kind) for about, finding in priced.findings]
    assert ("prompt 'make it move'", "no_camera_move") in kinds
    assert ("still coffee", "low_resolution") in kinds
    assert len(kinds) == len(set(kinds))


def test_a_plan_says_the_same_in_every_form(sweep: Sweep) -> None:
    """Lines, text, JSON and HTML have the count and the question."""
    priced = plan(replace(sweep, budget_usd=3.0))
    data = json.loads(json.dumps(priced.to_json(), allow_nan=False))
    assert (data["trials"], data["repeats"], data["takes"]) == (2, 2, 4)
    assert data["budget_usd"] == 3.0
    assert {item["kind"] for item in data["findings"]} >= {"no_camera_move", "low_resolution"}
    for text in (str(priced), priced._repr_html_()):
        assert "2 trials x 2 = 4" in text
        assert "which?" in text
        assert "3.00 USD" in text


def test_a_plan_escapes_what_it_shows(sweep: Sweep) -> None:
    """Markup in the question is shown as text in a notebook."""
    html = plan(replace(sweep, question="<script>alert(1)</script>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_an_unsupported_setting_reads_as_one_line() -> None:
    """The line has the setting, its value and what is accepted."""
    assert str(Unsupported("fps", "23", "accepted: 24")) == "fps '23': accepted: 24"


def test_planning_writes_nothing(sweep: Sweep, tmp_path: Path, monkeypatch: Any) -> None:
    """The current folder stays empty."""
    monkeypatch.chdir(tmp_path)
    plan(sweep)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("subject_weights")
def test_missing_room_in_a_still_is_reported_with_the_prompt(coffee: Still) -> None:
    """A whip pan needs room that the cup does not leave; the finding names both."""
    priced = plan(
        Sweep.of(
            stills=[coffee.path.resolve()],
            prompts=["fast whip pan right; steam rises", "slow push-in; steam rises"],
        )
    )
    lacking = [about for about, finding in priced.findings if finding.kind == "no_room"]
    assert set(lacking) == {"prompt 'fast whip pan right; steam rises' on still coffee"}
