"""The player as somebody uses it: keys, clicks, and what the films really show."""

from collections.abc import Sequence

from playwright.sync_api import Locator, expect

from tests.browser.codes import READ, clips, shown_at

_WATCH = """async (root, read) => {
  const videos = [...root.querySelectorAll("video")];
  const seen = [];
  while (root.querySelector(".play").textContent.includes("pause")) {
    await new Promise(requestAnimationFrame);
    seen.push(videos.map(read));
  }
  return seen;
}"""

_WATCH_ROUND = """async (root, read, time) => {
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

# A film that arrived may still wait for its repaint; 120 repaints are 2 s of a calm machine.
_WATCH_FOR = """async (root, read, wanted) => {
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
        """Wait until every film shows the moment that was asked for."""
        expect(self.root).to_have_attribute("data-settled", "true", timeout=30_000)

    @property
    def time_s(self) -> float:
        """The moment that the time slider stands at."""
        return float(self.root.get_by_label("Time in the clips").input_value())

    @property
    def shown(self) -> list[int]:
        """The number that each film's picture carries."""
        return [video.evaluate(READ) for video in self.root.locator("video").all()]

    @property
    def playing(self) -> bool:
        """True while any film moves."""
        return any(not video.evaluate("v => v.paused") for video in self._videos())

    def press(self, *keys: str) -> None:
        """Press keys on the player, then wait until it settled."""
        self.root.focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def seek(self, time_s: float) -> None:
        """Drag the time slider to a moment."""
        self.root.get_by_label("Time in the clips").evaluate(
            "(slider, time) => { slider.value = time; slider.dispatchEvent(new Event('input')); }",
            time_s,
        )
        self.settle()

    def play_to_end(self) -> list[list[int]]:
        """Press space and read every film at every repaint until it pauses."""
        self.root.focus()
        self.page.keyboard.press("Space")
        return self.root.evaluate(f"root => ({_WATCH})(root, {READ})")

    def play_round_to(self, time_s: float) -> list[list[int]]:
        """Press space; from where it begins again, read every film up to a moment. Plays on."""
        self.root.focus()
        self.page.keyboard.press("Space")
        return self.root.evaluate(f"(root, time) => ({_WATCH_ROUND})(root, {READ}, time)", time_s)

    def play_until(self, time_s: float) -> None:
        """Press space, wait until it has come past a moment, and pause."""
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
        """Every film comes to show the frame that the moment falls into."""
        time_s = self.time_s
        wanted = [shown_at(name, time_s) for name in names]
        watch = f"(root, wanted) => ({_WATCH_FOR})(root, {READ}, wanted)"
        assert self.root.evaluate(watch, wanted) == wanted, f"frames shown at {time_s} s"

    def _videos(self) -> list[Locator]:
        return self.root.locator("video").all()


def apart_s(numbers: Sequence[int], names: Sequence[str]) -> float:
    """How far apart in s the times of frames are that are shown together; 0 where they overlap.

    A clip's last frame is shown for ever.
    """
    spans = []
    for number, name in zip(numbers, names, strict=True):
        starts = clips()[name]
        assert starts is not None
        assert number >= 0, "a frame that cannot be read"
        spans.append((starts[number], (*starts, float("inf"))[number + 1]))
    return max(0.0, max(start for start, _ in spans) - min(end for _, end in spans))
