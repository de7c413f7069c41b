"""The report in a browser plays in sync, frame by frame, and loads nothing."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from lab.analysis import Results
from lab.report import write_report
from tests.browser.coded_clips import HEIGHT, LOST, WIDTH, clips, number_in
from tests.browser.player_page import Player, time_gap_s
from tests.browser.visit import Visit

Open = Callable[..., Visit]
TRIO = ("fine", "coarse", "uneven")
FINE_S = 1 / 24
COARSE_S = 1 / 10
# Counts the videos that start to play, from the beginning.
_COUNT_PLAYS = """window.played = 0; addEventListener("play", () => window.played++, true);"""


@pytest.fixture(scope="module")
def report(coded_results: Results) -> Path:
    """The report of the coded run."""
    return write_report(coded_results)


@pytest.fixture
def opened(visit: Open, report: Path) -> Visit:
    """The report with a settled player."""
    made = visit(report)
    _player(made.page).settle()
    return made


@pytest.fixture
def page(opened: Visit) -> Page:
    """The page of the report."""
    return opened.page


@pytest.fixture
def trio(page: Page) -> Player:
    """The player with three clips: 24 fps, 10 fps, and uneven frame times."""
    return _playing(page, TRIO)


def _player(page: Page) -> Player:
    return Player(page.locator(".i2v-player"))


def _tile(page: Page, name: str) -> Locator:
    return page.locator(f'.tile button[title="{name}"]')


def _playing(page: Page, names: Sequence[str]) -> Player:
    """The player with these clips."""
    pressed = page.locator('.tile button[aria-pressed="true"]')
    while pressed.count():
        pressed.first.click()
    for name in names:
        _tile(page, name).click()
    player = _player(page)
    player.settle()
    assert _titles(player) == list(names)
    return player


def _titles(player: Player) -> list[str]:
    return [
        title.strip() for title in player.root.locator("figure.clip figcaption").all_inner_texts()
    ]


def _session(page: Page) -> dict[str, dict[str, Any]]:
    """The clips in the JSON of the player, by title."""
    clip_data = json.loads(page.locator("#i2v-session").text_content() or "")
    return {clip["title"]: clip for clip in clip_data["clips"]}


def _picture(player: Player, path: Path) -> NDArray[np.int_]:
    """The screen at the first video as 320 x 180 grey pixels."""
    player.root.locator("figure.clip .frame").first.screenshot(path=path)
    return np.asarray(Image.open(path).convert("L").resize((WIDTH, HEIGHT))).astype(int)


def test_it_loads_nothing(opened: Visit, report: Path) -> None:
    """A report that is opened, played and clicked through loads only itself, without errors."""
    player = _player(opened.page)
    player.press("ArrowRight", "End", "Home")
    player.play_until(0.2)
    for summary in opened.page.locator("summary").all():
        summary.click()
    assert opened.requested == [report.as_uri()]
    opened.check()


def test_takes_of_two_runs_play_side_by_side(
    visit: Open, coded_results: Results, tmp_path: Path
) -> None:
    """A report of two run folders plays takes of both side by side."""
    first = coded_results.folder.path
    second = tmp_path / "second"
    shutil.copytree(first, second)
    opened = visit(write_report([first, second], tmp_path / "both.html"))
    player = _playing(opened.page, (f"{first.name} · fine", "second · coarse"))
    player.press("ArrowRight", "ArrowRight")
    player.check(("fine", "coarse"))
    opened.check()


def test_space_plays_and_pauses(page: Page) -> None:
    """Space plays, and space again pauses on a frame."""
    player = _player(page)
    assert player.time_s == 0
    player.play_until(0.3)
    stopped = player.time_s
    assert stopped > 0.2
    assert not player.playing
    assert stopped * 24 == pytest.approx(round(stopped * 24))
    expect(player.root.get_by_role("button", name="Play")).to_have_text("▶ play")


def test_arrow_keys_step_one_frame_of_the_finest_clip(trio: Player) -> None:
    """Right steps by a 24th of a second, whatever the other frame rates; left steps back."""
    for step in range(1, 8):
        trio.press("ArrowRight")
        assert trio.time_s == pytest.approx(step * FINE_S)
    trio.press("ArrowLeft")
    assert trio.time_s == pytest.approx(6 * FINE_S)
    trio.press("Shift+ArrowRight")
    assert trio.time_s == pytest.approx(16 * FINE_S)


def test_home_and_end_jump(trio: Player) -> None:
    """End shows the last frame of every clip and Home the first. No key goes beyond them."""
    trio.press("End")
    assert trio.shown == [len(clips()[name] or ()) - 1 for name in TRIO]
    trio.press("ArrowRight")
    assert trio.shown[0] == 35
    trio.press("Home")
    assert trio.shown == [0, 0, 0]
    trio.press("ArrowLeft")
    assert (trio.time_s, trio.shown) == (0, [0, 0, 0])


def test_every_step_shows_the_same_time_in_every_clip(trio: Player) -> None:
    """At each of 36 steps, each picture is the frame of the current time."""
    for step in range(36):
        assert trio.shown[0] == step
        trio.check(TRIO)
        trio.press("ArrowRight")


def test_every_time_shows_the_same_time_in_every_clip(trio: Player) -> None:
    """At any time, also close to the edge of a frame, each clip shows the right frame."""
    edges = [start for name in TRIO for start in clips()[name] or ()][::5]
    moments = [
        1.4999,
        1.5,
        *(edge + 0.002 for edge in edges),
        *(edge - 0.002 for edge in edges[1:]),
    ]
    assert len(moments) > 20
    for moment in moments:
        trio.seek(moment)
        assert trio.time_s == pytest.approx(min(max(moment, 0), 1.5), abs=1e-3)
        trio.check(TRIO)


def test_a_clip_that_has_ended_shows_its_last_frame(trio: Player) -> None:
    """After its end a clip shows its last frame. It changes again when the time goes back."""
    trio.seek(1.2)
    assert trio.shown[1] == 9
    trio.seek(1.45)
    assert trio.shown[1] == 9
    trio.seek(0.35)
    assert trio.shown[1] == 3


@pytest.mark.parametrize(
    "speed", [pytest.param(slower, marks=pytest.mark.slow) for slower in ("¼×", "½×")] + ["1×"]
)
def test_played_clips_stay_together(trio: Player, speed: str) -> None:
    """Clips that play show frames of nearly the same time; after a pause, of exactly the same.

    A browser on a busy machine lets a video wait and draws a frame late or early, so that one of
    three plays has to keep the clocks together and show frames of the same time in most repaints.
    """
    trio.root.get_by_label("Speed").select_option(speed)
    trio.play_until(0.5)
    trio.check(TRIO)
    plays = []
    for _ in range(3):
        trio.press("Home")
        seen, clocks = trio.play_to_end()
        trio.settle()
        assert trio.shown == [35, 9, len(clips()["uneven"] or ()) - 1]
        assert len(seen) > 15
        apart = sorted(max(times) - min(times) for times in clocks if times)
        clock_gap = apart[round(0.9 * (len(apart) - 1))]
        frame_gap = median(time_gap_s(numbers, TRIO) for numbers in seen)
        if clock_gap <= COARSE_S / 2 and frame_gap <= FINE_S / 2:
            return
        plays.append(f"clocks {clock_gap:.3f} s apart, frames {frame_gap:.3f} s")
    raise AssertionError("; ".join(plays))


def test_looped_clips_stay_together(trio: Player) -> None:
    """Clips that loop stay in sync, playing (in one of three rounds, see above) and paused."""
    trio.press("l")
    expect(trio.root.get_by_role("button", name="Start again")).to_have_attribute(
        "aria-pressed", "true"
    )
    rounds = []
    for _ in range(3):
        trio.seek(1.2)
        seen = trio.play_round_to(0.7)
        rounds.append([time_gap_s(numbers, TRIO) for numbers in seen])
        trio.press("Space")
        if median(rounds[-1]) <= FINE_S / 2:
            break
    assert min(len(gaps) for gaps in rounds) > 10
    assert median(rounds[-1]) <= FINE_S / 2
    assert 0.5 < trio.time_s < 1.4
    trio.check(TRIO)


@pytest.mark.parametrize("metric", ["flicker", "warp", "motion"])
def test_a_click_on_a_peak_goes_there(trio: Player, metric: str) -> None:
    """A click three pixels beside the highest peak goes to the peak."""
    clip_data = _session(trio.page)
    points = [point for name in TRIO for point in clip_data[name]["series"][metric]]
    time_s, _ = max((point for point in points if point[1] is not None), key=lambda one: one[1])
    plot = trio.root.locator(f'[data-metric="{metric}"]')
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] * time_s / 1.5 + 3, "y": 20})
    trio.settle()
    assert trio.time_s == pytest.approx(time_s, abs=1e-3)
    trio.check(TRIO)


def test_worst_moments_are_one_click_away(trio: Player) -> None:
    """Moments are sorted by weight. A click goes to one and marks its region in the picture."""
    clip_data = _session(trio.page)
    worst = sorted(
        (one | {"name": name} for name in TRIO for one in clip_data[name]["worst"]),
        key=lambda one: -one["weight"],
    )
    buttons = trio.root.get_by_role("group", name="Worst moments").get_by_role("button").all()
    assert len(buttons) == min(len(worst), 8) > 3
    for button, expected in zip(buttons, worst, strict=False):
        assert button.inner_text().strip().startswith(f"{expected['metric']} ")
        assert button.get_attribute("title") == f"{expected['name']}: {expected['text']}"
        button.click()
        trio.settle()
        assert trio.time_s == pytest.approx(expected["time_s"], abs=1e-3)
        trio.check(TRIO)
        shown = trio.root.get_by_label("Overlay on the clips")
        expect(shown).to_have_value(f"box:{expected['metric']}")


def test_the_wipe_shows_one_clip_left_and_the_other_right(page: Page, tmp_path: Path) -> None:
    """The wipe moves by keyboard to the value of its slider, and the time does not change."""
    pair = _playing(page, ["fine", "coarse"])
    pair.seek(20.5 / 24)
    pair.root.get_by_label("View").select_option("wipe")
    slider = pair.root.get_by_label("Position of the wipe")
    slider.focus()
    # 20 is 0001 0100 and 8 is 0000 1000: half of each is 0001 1000.
    for key, value, number in (("Home", "0", 8), ("End", "100", 20)):
        page.keyboard.press(key)
        expect(slider).to_have_value(value)
        assert number_in(_picture(pair, tmp_path / "wiped.png")) == number
    for _ in range(5):
        page.keyboard.press("PageDown")
    expect(slider).to_have_value("50")
    assert number_in(_picture(pair, tmp_path / "wiped.png")) == 0b0001_1000
    assert pair.time_s == pytest.approx(20.5 / 24, abs=1e-3)


def test_a_clip_does_not_differ_from_itself(page: Page, tmp_path: Path) -> None:
    """The difference of two equal clips is black; of two other clips it is not."""
    pair = _playing(page, ["fine", "fine again"])
    pair.root.get_by_label("View").select_option("difference")
    for moment in (0.0, 0.52, 1.49):
        pair.seek(moment)
        assert _picture(pair, tmp_path / "equal.png")[4:-4, 4:-4].max() <= 2
    other = _playing(page, ["fine", "coarse"])
    other.root.get_by_label("View").select_option("difference")
    other.seek(0.52)
    assert _picture(other, tmp_path / "others.png")[4:-4, 4:-4].max() > 200


def test_selected_tiles_are_in_the_player(page: Page) -> None:
    """A click adds or removes a take. With more than nine, the first one is removed."""
    names = [name for name, starts in clips().items() if starts]
    assert len(names) > 10
    player = _playing(page, names[:9])
    _tile(page, names[9]).click()
    player.settle()
    assert _titles(player) == names[1:10]
    expect(_tile(page, names[0])).to_have_attribute("aria-pressed", "false")
    expect(page.locator('.tile button[aria-pressed="true"]')).to_have_count(9)
    _tile(page, names[4]).click()
    assert _titles(player) == [*names[1:4], *names[5:10]]
    assert _tile(page, LOST).count() == 0


def test_tables_sort_by_value_both_ways(page: Page) -> None:
    """A click on a heading sorts by number, another one reverses. Missing values are last."""
    table = page.get_by_role("region", name="Every take and its scores").locator("table")
    heading = table.locator("thead th", has_text="motion")
    column = heading.evaluate("th => th.cellIndex")
    orders = []
    for direction in ("ascending", "descending"):
        heading.get_by_role("button").click()
        expect(heading).to_have_attribute("aria-sort", direction)
        expect(table.locator("[aria-sort]")).to_have_count(1)
        cells = table.locator(f"tbody td:nth-child({column + 1})")
        orders.append(cells.evaluate_all("cells => cells.map(c => c.dataset.number ?? null)"))
    numbers = [float(number) for number in orders[0] if number is not None]
    assert len(numbers) > 5
    assert numbers == sorted(numbers)
    assert len(orders[0]) > len(numbers)
    assert orders[0][len(numbers) :] == [None] * (len(orders[0]) - len(numbers))
    assert [float(number) for number in orders[1] if number is not None] == numbers[::-1]


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_it_is_accessible(visit: Open, report: Path, scheme: str) -> None:
    """In light and dark mode, with everything unfolded, axe finds no violation."""
    page = visit(report, color_scheme=scheme).page
    _player(page).settle()
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_plays_by_itself(visit: Open, report: Path, motion: str) -> None:
    """No video plays by itself, and nothing else on the page moves."""
    page = visit(report, reduced_motion=motion, script=_COUNT_PLAYS).page
    player = _playing(page, TRIO)
    assert page.evaluate("window.played") == 0
    assert page.evaluate("document.getAnimations().length") == 0
    player.play_until(0.2)
    assert page.evaluate("window.played") == 3


def test_without_scripts_everything_but_the_films_is_there(
    visit: Open, report: Path, coded_results: Results
) -> None:
    """Without scripts, posters, headings and tables are shown, and a line about the player."""
    opened = visit(report, java_script_enabled=False)
    page = opened.page
    expect(page.get_by_role("heading", level=1)).to_have_text("coded clips")
    assert page.get_by_role("heading", level=2).count() >= 10
    posters = page.locator(".tile img")
    assert posters.count() == len(clips()) - 1
    for poster in posters.all():
        poster.scroll_into_view_if_needed()
        assert poster.evaluate("picture => picture.naturalWidth") > 100
    table = page.get_by_role("region", name="Every take and its scores")
    assert table.locator("tbody tr").count() == len(coded_results.takes)
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.get_by_text("the studio burnt down").first).to_be_visible()
    assert opened.requested == [report.as_uri()]
