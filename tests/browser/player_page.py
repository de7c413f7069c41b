"""Drives the player in a page: keys, clicks, and the frames that its videos show."""

from collections.abc import Sequence

from playwright.sync_api import Locator, expect

from tests.browser.coded_clips import READ, clips, shown_at

_READ_UNTIL_PAUSED = """async (root, read) => {
  const videos = [...root.querySelectorAll("video")];
  const [seen, clocks] = [[], []];
  while (root.querySelector(".play").textContent.includes("pause")) {
    await new Promise(requestAnimationFrame);
    seen.push(videos.map(read));
    clocks.push(videos.filter(({ paused }) => !paused).map(({ currentTime }) => currentTime));
  }
  return [seen, clocks];
}"""

_READ_AFTER_LOOP = """async (root, read, time) => {
  const videos = [...root.querySelectorAll("video")];
  const slider = root.querySelector(".time-slider");
  const seen = [];
  for (let before = 0; Number(slider.value) >= before;) {
    before = Number(slider.value);
    await new Promise(requestAnimationFrame);
  }
  while (videos[0].paused) await new Promise(requestAnimationFrame);
  while (Number(slider.value) < time) {
    await new Promise(requestAnimationFrame);
    seen.push(videos.map(read));
  }
  return seen;
}"""

# A video may need some repaints after it has been sought. 120 repaints take 2 s on an idle machine.
_READ_UNTIL_EQUAL = """async (root, read, wanted) => {
  const videos = [...root.querySelectorAll("video")];
  let seen = videos.map(read);
  for (let repaint = 0; repaint < 120 && String(seen) !== String(wanted); repaint++) {
    await new Promise(requestAnimationFrame);
    seen = videos.map(read);
  }
  return seen;
}"""


class Player:
    """The player in a page. root: its outermost element."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self.page = root.page

    def settle(self) -> None:
        """Wait until every video shows the requested time."""
        expect(self.root).to_have_attribute("data-settled", "true", timeout=30_000)

    @property
    def time_s(self) -> float:
        """The value of the time slider."""
        return float(self.root.get_by_label("Time in the clips").input_value())

    @property
    def shown(self) -> list[int]:
        """The number in the picture of each video."""
        return [video.evaluate(READ) for video in self.root.locator("video").all()]

    @property
    def playing(self) -> bool:
        """True while any video plays."""
        return any(not video.evaluate("v => v.paused") for video in self._videos())

    def press(self, *keys: str) -> None:
        """Press keys on the player, then wait until it has settled."""
        self.root.focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def seek(self, time_s: float) -> None:
        """Move the time slider."""
        self.root.get_by_label("Time in the clips").evaluate(
            "(slider, time) => { slider.value = time; slider.dispatchEvent(new Event('input')); }",
            time_s,
        )
        self.settle()

    def play_to_end(self) -> tuple[list[list[int]], list[list[float]]]:
        """Press space and read every video at each repaint until the player pauses.

        Returns, for each repaint, the frame that each video shows, and the time in s of each
        video that plays.
        """
        self.root.focus()
        self.page.keyboard.press("Space")
        seen, clocks = self.root.evaluate(f"root => ({_READ_UNTIL_PAUSED})(root, {READ})")
        return seen, clocks

    def play_round_to(self, time_s: float) -> list[list[int]]:
        """Press space. After one loop, read every video until this time. The player plays on."""
        self.root.focus()
        self.page.keyboard.press("Space")
        return self.root.evaluate(
            f"(root, time) => ({_READ_AFTER_LOOP})(root, {READ}, time)", time_s
        )

    def play_until(self, time_s: float) -> None:
        """Press space, wait until the player has passed this time, and pause."""
        self.root.focus()
        self.page.keyboard.press("Space")
        self.root.get_by_label("Time in the clips").evaluate(
            """async (slider, time) => {
              while (Number(slider.value) < time) await new Promise(requestAnimationFrame);
            }""",
            time_s,
        )
        self.page.keyboard.press("Space")
        self.settle()

    def check(self, names: Sequence[str]) -> None:
        """Check that every video shows the frame of the current time."""
        time_s = self.time_s
        wanted = [shown_at(name, time_s) for name in names]
        watch = f"(root, wanted) => ({_READ_UNTIL_EQUAL})(root, {READ}, wanted)"
        assert self.root.evaluate(watch, wanted) == wanted, f"frames shown at {time_s} s"

    def _videos(self) -> list[Locator]:
        return self.root.locator("video").all()


def time_gap_s(numbers: Sequence[int], names: Sequence[str]) -> float:
    """The time in s between frames that are shown together; 0 if their intervals overlap.

    The last frame of a clip is shown without end.
    """
    spans = []
    for number, name in zip(numbers, names, strict=True):
        starts = clips()[name]
        assert starts is not None
        assert number >= 0, "unreadable frame"
        spans.append((starts[number], (*starts, float("inf"))[number + 1]))
    return max(0.0, max(start for start, _ in spans) - min(end for _, end in spans))
