"""The report in a browser: it plays in step, frame for frame, and asks nobody for anything."""

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
from tests.browser.codes import HEIGHT, LOST, WIDTH, clips, number_in
from tests.browser.playing import Player, apart_s
from tests.browser.visits import Visit

Open = Callable[..., Visit]
TRIO = ("fine", "coarse", "uneven")
FINE_S = 1 / 24
COARSE_S = 1 / 10
# What the page plays is noted from its first moment on.
_NOTE_PLAYS = """window.played = 0; addEventListener("play", () => window.played++, true);"""


@pytest.fixture(scope="module")
def report(coded_results: Results) -> Path:
    """The report of the coded run."""
    return write_report(coded_results)


@pytest.fixture
def opened(visit: Open, report: Path) -> Visit:
    """The report, with the player ready."""
    made = visit(report)
    _player(made.page).settle()
    return made


@pytest.fixture
def page(opened: Visit) -> Page:
    """The page that shows the report."""
    return opened.page


@pytest.fixture
def trio(page: Page) -> Player:
    """The player with three clips in it: of 24 and 10 frames a second, and of uneven ones."""
    return _playing(page, TRIO)


def _player(page: Page) -> Player:
    return Player(page.locator(".i2v-player"))


def _tile(page: Page, name: str) -> Locator:
    return page.locator(f'.tile button[title="{name}"]')


def _playing(page: Page, names: Sequence[str]) -> Player:
    """The player with these clips in it."""
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
    """What the player was given, by clip."""
    told = json.loads(page.locator("#i2v-session").text_content() or "")
    return {clip["title"]: clip for clip in told["clips"]}


def _picture(player: Player, path: Path) -> NDArray[np.int_]:
    """What is seen where the first film stands, 320 x 180 pixels of grey."""
    player.root.locator("figure.clip .frame").first.screenshot(path=path)
    return np.asarray(Image.open(path).convert("L").resize((WIDTH, HEIGHT))).astype(int)


def test_it_asks_nobody_for_anything(opened: Visit, report: Path) -> None:
    """Opened, played and clicked through, the file loads nothing but itself and says no error."""
    player = _player(opened.page)
    player.press("ArrowRight", "End", "Home")
    player.play_until(0.2)
    for summary in opened.page.locator("summary").all():
        summary.click()
    assert opened.asked == [report.as_uri()]
    opened.check()


def test_takes_of_two_runs_play_side_by_side(
    visit: Open, coded_results: Results, tmp_path: Path
) -> None:
    """One report of two run folders: a tile of each goes into the player, and both films play."""
    first = coded_results.folder.path
    second = tmp_path / "second"
    shutil.copytree(first, second)
    opened = visit(write_report([first, second], tmp_path / "both.html"))
    player = _playing(opened.page, (f"{first.name} · fine", "second · coarse"))
    player.press("ArrowRight", "ArrowRight")
    player.check(("fine", "coarse"))
    opened.check()


def test_space_plays_and_pauses(page: Page) -> None:
    """Space starts the films, time goes on by itself, and space again stops it on a frame."""
    player = _player(page)
    assert player.time_s == 0
    player.play_until(0.3)
    stopped = player.time_s
    assert stopped > 0.2
    assert not player.playing
    assert stopped * 24 == pytest.approx(round(stopped * 24))
    expect(player.root.get_by_role("button", name="Play")).to_have_text("▶ play")


def test_arrow_keys_step_one_frame_of_the_finest_clip(trio: Player) -> None:
    """Right goes on by a 24th of a second however coarse the others are, left goes back."""
    for place in range(1, 8):
        trio.press("ArrowRight")
        assert trio.time_s == pytest.approx(place * FINE_S)
    trio.press("ArrowLeft")
    assert trio.time_s == pytest.approx(6 * FINE_S)
    trio.press("Shift+ArrowRight")
    assert trio.time_s == pytest.approx(16 * FINE_S)


def test_home_and_end_jump(trio: Player) -> None:
    """End shows the last frame of every clip, Home the first; no key leaves the clips."""
    trio.press("End")
    assert trio.shown == [len(clips()[name] or ()) - 1 for name in TRIO]
    trio.press("ArrowRight")
    assert trio.shown[0] == 35
    trio.press("Home")
    assert trio.shown == [0, 0, 0]
    trio.press("ArrowLeft")
    assert (trio.time_s, trio.shown) == (0, [0, 0, 0])


def test_every_step_shows_the_same_time_in_every_clip(trio: Player) -> None:
    """At each of 36 steps each picture is the frame of that moment, by its own number."""
    for place in range(36):
        assert trio.shown[0] == place
        trio.check(TRIO)
        trio.press("ArrowRight")


def test_every_moment_shows_the_same_time_in_every_clip(trio: Player) -> None:
    """Dragged anywhere, also right beside a frame's edge, each clip shows the frame of then."""
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


def test_a_clip_that_is_over_holds_its_last_frame(trio: Player) -> None:
    """Behind its end the shorter clip stays as it was, and comes back when one goes back."""
    trio.seek(1.2)
    assert trio.shown[1] == 9
    trio.seek(1.45)
    assert trio.shown[1] == 9
    trio.seek(0.35)
    assert trio.shown[1] == 3


@pytest.mark.parametrize("speed", ["¼×", "½×", "1×"])
def test_played_clips_stay_together(trio: Player, speed: str) -> None:
    """While they play, frames shown at once belong to one time; paused, exactly to one."""
    trio.root.get_by_label("Speed").select_option(speed)
    trio.play_until(0.5)
    trio.check(TRIO)
    trio.press("Home")
    seen = trio.play_to_end()
    assert len(seen) > 15
    gaps = [apart_s(numbers, TRIO) for numbers in seen]
    assert median(gaps) <= FINE_S / 2
    # Times are sums of frames, so that a gap of just that much is off in its last digit.
    assert sorted(gaps)[round(0.9 * len(gaps))] <= COARSE_S / 2 + 1e-6
    trio.settle()
    assert trio.shown == [35, 9, len(clips()["uneven"] or ()) - 1]


def test_looped_clips_stay_together(trio: Player) -> None:
    """Begun again at the end by themselves, the clips are in step, playing and paused."""
    trio.press("l")
    expect(trio.root.get_by_role("button", name="Start again")).to_have_attribute(
        "aria-pressed", "true"
    )
    trio.seek(1.2)
    seen = trio.play_round_to(0.7)
    gaps = [apart_s(numbers, TRIO) for numbers in seen]
    assert len(gaps) > 10
    assert median(gaps) <= FINE_S / 2
    trio.press("Space")
    assert 0.5 < trio.time_s < 1.4
    trio.check(TRIO)


@pytest.mark.parametrize("metric", ["flicker", "warp", "motion"])
def test_a_click_on_a_spike_goes_there(trio: Player, metric: str) -> None:
    """A click three pixels beside the highest spike brings every clip to its very moment."""
    told = _session(trio.page)
    points = [point for name in TRIO for point in told[name]["series"][metric]]
    time_s, _ = max((point for point in points if point[1] is not None), key=lambda one: one[1])
    plot = trio.root.locator(f'[data-metric="{metric}"]')
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] * time_s / 1.5 + 3, "y": 20})
    trio.settle()
    assert trio.time_s == pytest.approx(time_s, abs=1e-3)
    trio.check(TRIO)


def test_worst_moments_are_one_click_away(trio: Player) -> None:
    """The worst first; each brings every clip to its moment and marks the place in the picture."""
    told = _session(trio.page)
    worst = sorted(
        (one | {"name": name} for name in TRIO for one in told[name]["worst"]),
        key=lambda one: -one["weight"],
    )
    chips = trio.root.get_by_role("group", name="Worst moments").get_by_role("button").all()
    assert len(chips) == min(len(worst), 8) > 3
    for chip, expected in zip(chips, worst, strict=False):
        assert chip.inner_text().strip().startswith(f"{expected['metric']} ")
        assert chip.get_attribute("title") == f"{expected['name']}: {expected['text']}"
        chip.click()
        trio.settle()
        assert trio.time_s == pytest.approx(expected["time_s"], abs=1e-3)
        trio.check(TRIO)
        shown = trio.root.get_by_label("Overlay on the clips")
        expect(shown).to_have_value(f"box:{expected['metric']}")


def test_the_wipe_shows_one_clip_left_and_the_other_right(page: Page, tmp_path: Path) -> None:
    """Moved by keyboard; the seam lies where the slider says, and the moment does not change."""
    pair = _playing(page, ["fine", "coarse"])
    pair.seek(20.5 / 24)
    pair.root.get_by_label("View").select_option("wipe")
    slider = pair.root.get_by_label("Position of the wipe")
    slider.focus()
    # 20 is 0001 0100 and 8 is 0000 1000: half of each is 0001 1000.
    for key, place, number in (("Home", "0", 8), ("End", "100", 20)):
        page.keyboard.press(key)
        expect(slider).to_have_value(place)
        assert number_in(_picture(pair, tmp_path / "wiped.png")) == number
    for _ in range(5):
        page.keyboard.press("PageDown")
    expect(slider).to_have_value("50")
    assert number_in(_picture(pair, tmp_path / "wiped.png")) == 0b0001_1000
    assert pair.time_s == pytest.approx(20.5 / 24, abs=1e-3)


def test_a_clip_does_not_differ_from_itself(page: Page, tmp_path: Path) -> None:
    """The difference of a clip and its twin is black at every moment; of two clips it is not."""
    pair = _playing(page, ["fine", "fine again"])
    pair.root.get_by_label("View").select_option("difference")
    for moment in (0.0, 0.52, 1.49):
        pair.seek(moment)
        assert _picture(pair, tmp_path / "twins.png")[4:-4, 4:-4].max() <= 2
    other = _playing(page, ["fine", "coarse"])
    other.root.get_by_label("View").select_option("difference")
    other.seek(0.52)
    assert _picture(other, tmp_path / "others.png")[4:-4, 4:-4].max() > 200


def test_pressed_tiles_are_those_in_the_player(page: Page) -> None:
    """Press to add, press to take away; nine at most, the one chosen first gives way."""
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
    """A press on a heading sorts by number, not by letter; another turns it; gaps come last."""
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_is_found(visit: Open, report: Path, scheme: str) -> None:
    """On light and on dark paper, with everything unfolded, axe has nothing to say."""
    page = visit(report, color_scheme=scheme).page
    _player(page).settle()
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_plays_by_itself(visit: Open, report: Path, motion: str) -> None:
    """The films stand still until somebody presses play, and nothing else on the page moves."""
    page = visit(report, reduced_motion=motion, script=_NOTE_PLAYS).page
    player = _playing(page, TRIO)
    assert page.evaluate("window.played") == 0
    assert page.evaluate("document.getAnimations().length") == 0
    player.play_until(0.2)
    assert page.evaluate("window.played") == 3


def test_without_scripts_everything_but_the_films_is_there(
    visit: Open, report: Path, coded_results: Results
) -> None:
    """Where scripts are off, posters, headings and tables stand there, and a line says what not."""
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
    assert opened.asked == [report.as_uri()]
