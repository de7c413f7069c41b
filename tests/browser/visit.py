"""A browser page that records errors, requests and dialogs."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request, Route

_LOCAL_SCHEMES = ("data:", "blob:", "about:")


class Visit:
    """A new page at an address.

    allowed: prefixes of addresses that the page may request besides its own. script: runs before
    the page's own scripts. errors: messages on the console and uncaught exceptions. dialogs: texts
    of dialogs. requested: requested addresses, the page's own first. blocked: requests that were
    not allowed.
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
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        self.requested: list[str] = []
        self.blocked: list[str] = []
        browser_context = browser.new_context(viewport={"width": width, "height": 1000}, **context)
        browser_context.set_default_timeout(30_000)
        browser_context.add_init_script(script)
        browser_context.route("**/*", self._filter_request)
        browser_context.on("request", self._record_request)
        self.page: Page = browser_context.new_page()
        self.page.on("console", self._record_message)
        self.page.on("pageerror", self._record_error)
        self.page.on("dialog", self._dismiss_dialog)
        self.page.goto(self.address)

    def check(self) -> None:
        """Check that there was no error, no dialog and no forbidden request."""
        assert not self.errors, self.errors
        assert not self.dialogs, self.dialogs
        assert not self.blocked, self.blocked
        assert self.page.evaluate("window.__hacked") is None

    def _record_request(self, request: Request) -> None:
        if not request.url.startswith(_LOCAL_SCHEMES):
            self.requested.append(request.url)

    def _filter_request(self, route: Route) -> None:
        if route.request.url.startswith((*self._allowed, *_LOCAL_SCHEMES)):
            route.continue_()
        else:
            self.blocked.append(route.request.url)
            route.abort()

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _record_error(self, error: Error) -> None:
        self.errors.append(str(error))

    def _dismiss_dialog(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            dialog.accept()
            return
        self.dialogs.append(dialog.message)
        dialog.dismiss()
