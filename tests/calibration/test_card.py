"""The validity card, from rows of known truth."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

from lab.calibration import DEFECTS, NUISANCES, Card, describe_coverage, load_card
from lab.errors import InputError
from lab.metrics import SPECS

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
TABLES = ("detection", "ordering", "nuisances", "crosstalk", "kinds", "missing")
OWN = {defect.name: defect.metric for defect in DEFECTS}
PERFECT = "1.00 [1.00, 1.00]"


def truth(kind: str, name: str, strength: float) -> dict[str, float]:
    """Every metric grows by one a unit of its own defect, except `warp`, which is blind.

    `drift` also responds to melting. Film grain shifts `flicker.texture` by 1, half of its response
    at the middle strength of 2.
    """
    if name == "film grain":
        return {"flicker.texture": 1.0}
    if kind != "defect" or OWN[name] == "warp":
        return {}
    return {OWN[name]: strength} | ({"drift": strength} if name == "melting" else {})


def unmeasured(rows: list[Row], metric: str) -> list[Row]:
    return [{**row, "scores": {**row["scores"], metric: None}} for row in rows]


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Any:
    """Makes bootstraps fast; these tests do not look at intervals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.calibration.statistics._RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def card(rows_of: Rows) -> Card:
    """All strengths, photographs only."""
    return Card.from_rows(rows_of(truth))


@pytest.fixture(scope="module")
def quick(rows_of: Rows) -> Card:
    """Middle strengths only; drift.onset has no data."""
    return Card.from_rows(unmeasured(rows_of(truth, places=(2,)), "drift.onset"))


@pytest.fixture(scope="module")
def moving(rows_of: Rows) -> Card:
    """Eight photographs under a pan, and eight more whose subject walks over a plain ground.

    In the walks `drift` reads 100 more on every clip, and `warp.shape` reads nothing.
    `flicker.colour` reads nothing on the clean clips of the pan.
    """
    walks = rows_of(truth, places=(0, 2), move="walk", base_kinds=("walk", "plain ground"))
    for row in walks:
        row["scores"] |= {"drift": row["scores"]["drift"] + 100, "warp.shape": None}
    pans = rows_of(truth, places=(0, 2))
    for row in pans:
        if row["kind"] == "clean":
            row["scores"]["flicker.colour"] = None
    return Card.from_rows(pans + walks)


@pytest.fixture(scope="module")
def filmed(rows_of: Rows) -> Card:
    """Middle strengths of photographs and footage; in footage nothing is detected."""
    photographs = rows_of(truth, places=(2,))
    return Card.from_rows(photographs + rows_of(lambda *_: {}, places=(2,), move=""))


def row(card: Card, defect: str) -> dict[str, str]:
    """A row of the summary."""
    summary = card.summary()
    (values,) = summary[summary["defect"] == defect].to_dict("records")
    return values


def same(one: Card, other: Card, digits: float = 1e-9) -> bool:
    for name in TABLES:
        assert_frame_equal(getattr(one, name), getattr(other, name), atol=digits)
    return one.facts == other.facts


def test_a_perfect_metric_has_perfect_values(card: Card) -> None:
    """AUROC is 1 from the weakest strength on, the rank correlation is 1, the slope is 1."""
    assert row(card, "global flicker") == {
        "defect": "global flicker",
        "metric": "flicker.global",
        "middle strength": "2 8-bit code values",
        "AUROC final": PERFECT,
        "AUROC develop": PERFECT,
        "smallest detected": "0.5 8-bit code values",
        "Spearman": PERFECT,
        "slope": PERFECT,
    }


def test_a_blind_metric_has_the_values_of_guessing(card: Card) -> None:
    """AUROC is 0.5, no strength is detected, and there is no correlation or slope."""
    values = row(card, "jelly")
    assert values["AUROC final"] == values["AUROC develop"] == "0.50 [0.50, 0.50]"
    assert (values["smallest detected"], values["Spearman"]) == ("-", "-")
    assert values["slope"] == "0.00 [0.00, 0.00]"


def test_the_smallest_detected_strength_counts_nuisances_as_clean(card: Card) -> None:
    """A strength whose effect equals that of grain is not detected; the next one is."""
    assert row(card, "boiling texture")["smallest detected"] == "1 8-bit code values"
    values = card.detection[card.detection["defect"] == "boiling texture"]
    assert list(values[values["half"] == "final"]["strength"]) == [0.5, 1, 2, 4, 8]
    assert (values["value"].to_numpy()[:5] <= 1).all()


def test_held_out_defects_are_marked_and_only_in_the_final_half(card: Card) -> None:
    """The develop half has no held-out defects."""
    assert row(card, "pulse (held out)")["AUROC final"] == PERFECT
    assert row(card, "pulse (held out)")["AUROC develop"] == "-"
    developed = card.detection[card.detection["half"] == "develop"]
    assert set(developed["defect"]) == {defect.name for defect in DEFECTS if not defect.held_out}


def test_nuisance_shifts_are_shares_of_the_response(card: Card) -> None:
    """Grain shifts one metric by half of its response; a blind metric has no value."""
    shifts = card.nuisance_table()
    assert list(shifts.index) == [nuisance.name for nuisance in NUISANCES]
    assert set(shifts.columns) == set(OWN.values())
    assert shifts.loc["film grain", "flicker.texture"] == pytest.approx(0.5)
    assert shifts["warp"].isna().all()
    rest = shifts.drop(columns="warp").drop(index="film grain")
    assert rest.to_numpy() == pytest.approx(0)


def test_a_shift_is_compared_with_the_defect_that_is_detected_best(rows_of: Rows) -> None:
    """A metric that hardly responds to one of its defects does not look unstable for that."""

    def uneven(kind: str, name: str, strength: float) -> dict[str, float]:
        if name == "film grain":
            return {"drift": 1.0}
        return {"drift": {"colour drift": 10.0, "texture drift": 0.01}.get(name, 0.0)}

    shifts = Card.from_rows(rows_of(uneven, places=(2,))).nuisance_table()
    assert shifts.loc["film grain", "drift"] == pytest.approx(0.1)


def test_crosstalk_shows_responses_to_other_defects(card: Card) -> None:
    """AUROC is 1 for own defects, 0.5 for others, except for the metric with crosstalk."""
    crossed = card.crosstalk_table()
    assert list(crossed.columns) == list(OWN)
    heads = {metric.partition(".")[0] for metric in OWN.values()}
    assert set(OWN.values()) | heads == set(crossed.index)
    for defect, metric in OWN.items():
        assert crossed.loc[metric, defect] == (0.5 if metric == "warp" else 1)
    assert crossed.loc["drift", "melting"] == 1
    assert crossed.loc["warp.shape", "colour drift"] == 0.5


def test_shortfalls_are_the_goals_that_the_rows_miss(card: Card) -> None:
    """Each missed goal is one line; the response to an own defect is not crosstalk."""
    expected = [
        *(
            f"warp detects {name} with AUROC 0.50"
            for name, metric in OWN.items()
            if metric == "warp"
        ),
        *(
            f"warp detects {name} with AUROC 0.50 in clips of the kind camera move"
            for name, metric in OWN.items()
            if metric == "warp"
        ),
        "drift responds to melting with AUROC 1.00",
        "film grain shifts flicker.texture by 0.50 of its response to boiling texture "
        "(0.1 accepted)",
    ]
    assert card.shortfalls() == expected
    held_out = [f" {defect.name} " for defect in DEFECTS if defect.held_out]
    assert card.shortfalls("develop") == [
        line for line in expected if not any(name in line for name in held_out)
    ]
    assert str(card).endswith("\n".join(["", "Missed goals:", *expected]))


def test_a_card_that_meets_every_goal_says_so(rows_of: Rows) -> None:
    """Each metric detects its own defect and no other."""

    def good(kind: str, name: str, strength: float) -> dict[str, float]:
        return {OWN[name]: strength} if kind == "defect" else {}

    card = Card.from_rows(rows_of(good))
    assert card.shortfalls() == []
    assert str(card).endswith("\n\nEvery goal is met.")


def test_a_quick_card_judges_nothing(quick: Card) -> None:
    """It says that there are too few clips to judge the goals."""
    too_few = "Too few clips were measured to judge the goals."
    assert quick.shortfalls() == [too_few]
    assert str(quick).endswith(f"\n\n{too_few}")
    assert "Missed goals" not in str(quick)
    values = row(quick, "global flicker")
    assert values["AUROC final"] == PERFECT
    assert (values["Spearman"], values["slope"]) == ("-", "-")
    assert quick.ordering.empty


def test_what_has_no_data_is_not_judged(quick: Card, rows_of: Rows) -> None:
    """A metric without any data has a dash in every table; what it misses is that it has none."""
    values = row(quick, "onset gap")
    assert {values[name] for name in ("AUROC final", "AUROC develop", "smallest detected")} == {"-"}
    assert quick.nuisance_table()["drift.onset"].isna().all()
    assert quick.crosstalk_table().loc["drift.onset"].isna().all()
    blank = rows_of(truth)
    for metric in SPECS:
        blank = unmeasured(blank, metric)
    card = Card.from_rows(blank)
    assert card.shortfalls() == [
        f"{metric} has no value in 100% of the clips of the kind camera move"
        for metric in SPECS
        if metric in OWN.values()
    ]
    assert card.nuisance_table().isna().all(axis=None)
    assert "nan" not in str(card)


def test_every_number_says_how_it_was_calibrated(card: Card, quick: Card) -> None:
    """By its own defect, by others' defects, by camera moves, or never; with the tests by name."""
    table = card.coverage().set_index("number")
    assert list(table.index) == list(SPECS)
    assert set(table.index[table["tried"] == "own defect"]) == set(OWN.values())
    assert table.loc["flicker.global", "detection"] == "global flicker, pulse"
    for name, level, trials in (
        ("flicker.global", "own defect", (True, True, True, False)),
        ("flicker", "others' defects", (False, False, True, False)),
        ("motion.pan", "camera moves", (False, False, False, True)),
        ("warp.folds", "never", (False, False, False, False)),
        ("motion", "never", (False, False, False, False)),
    ):
        row = table.loc[name]
        assert row["tried"] == level
        assert (row["order"], row["harmless"], row["others"], row["moves"]) == trials
    assert not quick.coverage()["order"].any()


def test_a_test_without_a_value_does_not_count(quick: Card) -> None:
    """drift.onset had no data, so it counts as never calibrated."""
    table = quick.coverage().set_index("number")
    assert table.loc["drift.onset", "tried"] == "never"


def test_a_new_number_is_listed_as_never_calibrated(card: Card) -> None:
    """A metric that is added to the definitions appears by itself."""
    lines = describe_coverage(card.coverage([*SPECS, "warp.new"]))
    (never,) = [line for line in lines if line.startswith("Never calibrated")]
    assert never.endswith(", warp.new.")
    assert f"of {len(SPECS) + 1} numbers" in never


def test_the_card_shows_how_numbers_were_calibrated(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text and data follow the current definitions, not those of the saved card."""
    for line in describe_coverage(card.coverage()):
        assert line in str(card)
    monkeypatch.setitem(SPECS, "warp.new", SPECS["warp"])
    assert "exposure.clipped, warp.new." in str(card)
    data = card.to_json()["tried"]
    assert [row["number"] for row in data if row["tried"] == "never"][-1] == "warp.new"


def test_each_kind_of_clip_has_its_own_figures(moving: Card, filmed: Card) -> None:
    """A kind is a column, footage included; a clip on a plain ground counts in two kinds."""
    table = moving.kind_table()
    assert list(table.columns) == ["camera move", "walk", "plain ground"]
    assert list(table.index) == list(OWN)
    assert (table["walk"] == table["plain ground"]).all()
    assert set(table.loc["global flicker"]) == {"1.00"}
    assert set(table.loc["jelly"]) == {"0.50"}
    assert list(filmed.kind_table()) == ["camera move", "footage"]
    assert filmed.kind_table().loc["global flicker", "footage"] == "0.50"


def test_a_kind_that_reads_high_when_clean_is_not_detected_well(moving: Card) -> None:
    """Its defects are above its clean clips, but these are above the defects of the other kind."""
    # Of four pairs of kinds, three have a walk; the defect is above in all but pan against walk.
    assert moving.kind_table().loc["colour drift", "walk"] == "0.67"
    line = "drift detects colour drift with AUROC 0.67 in clips of the kind walk"
    assert line in moving.shortfalls()


def test_clips_without_a_value_count_against_the_metric(moving: Card) -> None:
    """Half of the clips have none, so three pairs in four are wrong; crosstalk ignores them."""
    assert row(moving, "melting")["AUROC final"].startswith("0.25 ")
    assert moving.crosstalk_table().loc["warp.shape", "melting"] == pytest.approx(0.25)
    assert moving.crosstalk_table().loc["warp.shape", "colour drift"] == 0.5
    assert moving.kind_table().loc["melting", "walk"] == "0.00 (100%)"
    assert moving.kind_table().loc["melting", "camera move"] == "1.00"


def test_the_card_says_how_often_a_number_has_no_value(moving: Card, card: Card) -> None:
    """For each kind of clip, of the numbers that lack any; more than 5 % miss the goal."""
    table = moving.missing_table()
    assert dict(table.loc["warp.shape"]) == {"camera move": 0, "walk": 1, "plain ground": 1}
    assert 0 < table.loc["flicker.colour", "camera move"] < 0.05
    assert not any("flicker.colour has no value" in line for line in moving.shortfalls())
    assert "Share of clips without a value" in str(moving)
    for kind in ("walk", "plain ground"):
        line = f"warp.shape has no value in 100% of the clips of the kind {kind}"
        assert line in moving.shortfalls()
    assert card.missing_table().empty


def test_an_older_card_is_loaded(card: Card, tmp_path: Path) -> None:
    """It lacks the figures of base kinds; where a defect had another metric there is a dash."""
    older = card.to_json()
    del older["kinds"], older["missing"]
    for name in ("detection", "ordering"):
        for entry in older[name]:
            if entry["defect"] == "identity drift":
                entry["metric"] = "drift.identity"
    path = tmp_path / "card.json"
    path.write_text(json.dumps(older))
    loaded = load_card(path)
    assert loaded.kind_table().empty
    assert loaded.missing_table().empty
    assert row(loaded, "global flicker") == row(card, "global flicker")
    assert row(loaded, "identity drift")["AUROC final"] == "-"
    assert "kind of clip" not in str(loaded)


def test_footage_has_its_own_column(card: Card, filmed: Card) -> None:
    """The values of footage are separate from those of photographs."""
    assert "AUROC footage" not in card.summary()
    assert card.facts["footage"] == []
    values = row(filmed, "global flicker")
    assert (values["AUROC final"], values["AUROC footage"]) == (PERFECT, "0.50 [0.50, 0.50]")
    assert filmed.facts["footage"] == [f"photo {base}" for base in range(8)]
    assert set(filmed.nuisances["half"]) == {"develop", "final", "footage"}


def test_the_facts_say_what_was_measured(card: Card, quick: Card, rows_of: Rows) -> None:
    """The facts have clips, photographs by half, versions and completeness."""
    assert card.facts["clips"] == len(rows_of(truth))
    halves = {
        half: [f"photo {base}" for base in bases]
        for half, bases in (("develop", (0, 2, 4, 6)), ("final", (1, 3, 5, 7)))
    }
    assert card.facts["photographs"] == halves
    assert card.facts["versions"] == {name: spec.version for name, spec in SPECS.items()}
    assert (card.facts["complete"], quick.facts["complete"]) == (True, False)


def test_a_card_comes_back_from_json(card: Card, quick: Card, filmed: Card, moving: Card) -> None:
    """Plain data restores the card, with its unknown values."""
    for one in (card, quick, filmed, moving):
        text = json.dumps(one.to_json(), allow_nan=False)
        assert same(Card.from_json(json.loads(text)), one)


def test_a_saved_card_is_loaded(card: Card, quick: Card, tmp_path: Path) -> None:
    """It is equal to three decimals and prints the same."""
    for one in (card, quick):
        one.save(tmp_path / "card.json")
        loaded = load_card(tmp_path / "card.json")
        assert same(loaded, one, 0.0006)
        assert str(loaded) == str(one)


def test_a_changed_definition_makes_its_metric_stale(card: Card) -> None:
    """The metric is named; one that the card does not know, or has no results for, is not."""
    assert card.stale == ()
    data = card.to_json()
    older = {**data["facts"]["versions"], "warp": 0, "drift.onset": 1000, "gone": 1}
    older["motion.pan"] = 0
    del older["motion"]
    changed = Card.from_json({**data, "facts": {**data["facts"], "versions": older}})
    assert changed.stale == ("drift.onset", "warp")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", "{}", '{"facts": {}, "detection": 3}', '{"facts": {}}', "\ud800"],
)
def test_a_broken_file_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    """The error names the file and the command that writes a good one."""
    path = tmp_path / "card.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(
        InputError, match=r"card\.json: is not a validity card; `lab calibrate`"
    ) as it:
        load_card(path)
    assert "\n" not in str(it.value)


def test_a_card_without_its_facts_is_broken(card: Card, tmp_path: Path) -> None:
    """The facts are required."""
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**card.to_json(), "facts": {}}))
    with pytest.raises(InputError, match="is not a validity card"):
        load_card(path)


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    """The error is the same as for a broken file."""
    with pytest.raises(InputError, match=r"gone\.json: is not a validity card"):
        load_card(tmp_path / "gone.json")


def test_values_are_rounded_but_not_lost(card: Card, tmp_path: Path) -> None:
    """NaN is null in the file, and strengths are exact."""
    card.save(tmp_path / "card.json")
    data = json.loads((tmp_path / "card.json").read_text())
    assert {entry["strength"] for entry in data["detection"]} == {
        strength for defect in DEFECTS for strength in defect.strengths
    }
    (blind,) = [
        entry["value"]
        for entry in data["ordering"]
        if (entry["half"], entry["defect"], entry["what"]) == ("final", "jelly", "spearman")
    ]
    assert blind is None
    assert not any(
        isinstance(value, float) and math.isnan(value)
        for name in TABLES
        for entry in data[name]
        for value in entry.values()
    )
