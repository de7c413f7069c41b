"""A page in the browser that remembers what went wrong, what it asked for, and who spoke up."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request, Route

_INSIDE = ("data:", "blob:", "about:")


class Visit:
    """A fresh page at an address.

    allowed: beginnings of addresses that the page may ask for besides its own. script: runs before
    the page's own. complaints: errors
    on the console and uncaught ones. dialogs: what popped up. asked: addresses that were asked for,
    its own the first; refused: those of them that were not allowed.
    """

    def __init__(
        self,
        browser: Browser,
        address: str | Path,
        *,
        allowed: tuple[str, ...] = (),
        script: str = "",
        width: int = 1280,
        **context: Any,
    ) -> None:
        self.address = address.as_uri() if isinstance(address, Path) else address
        self._allowed = (self.address.partition("#")[0], *allowed)
        self.complaints: list[str] = []
        self.dialogs: list[str] = []
        self.asked: list[str] = []
        self.refused: list[str] = []
        made = browser.new_context(viewport={"width": width, "height": 1000}, **context)
        made.set_default_timeout(30_000)
        made.add_init_script(script)
        made.route("**/*", self._judge)
        made.on("request", self._note)
        self.page: Page = made.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._fail)
        self.page.on("dialog", self._close)
        self.page.goto(self.address)

    def check(self) -> None:
        """Nothing went wrong, popped up or tried to leave."""
        assert not self.complaints, self.complaints
        assert not self.dialogs, self.dialogs
        assert not self.refused, self.refused
        assert self.page.evaluate("window.__hacked") is None

    def _note(self, request: Request) -> None:
        if not request.url.startswith(_INSIDE):
            self.asked.append(request.url)

    def _judge(self, route: Route) -> None:
        if route.request.url.startswith((*self._allowed, *_INSIDE)):
            route.continue_()
        else:
            self.refused.append(route.request.url)
            route.abort()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _fail(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _close(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            dialog.accept()
            return
        self.dialogs.append(dialog.message)
        dialog.dismiss()
