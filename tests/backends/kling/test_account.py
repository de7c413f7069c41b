"""Keys are read from the environment or a private file, and are never shown."""

import pickle
import traceback
import warnings
from pathlib import Path

import pytest

from lab.backends.kling import Account, KlingBackend
from lab.errors import AccountError, BackendError

KEY = "api-key-kling-0123456789abcdefghijklmnopqrstuvwxyz"


def _file(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


class TestSources:
    """Where settings are read from."""

    def test_without_any(self) -> None:
        """The defaults are Singapore, the new protocol, twenty jobs and ten seconds."""
        account = Account.load()
        assert account.origin == "https://api-singapore.klingai.com"
        assert (account.submit_protocol, account.concurrency, account.poll_s) == ("new", 20, 10)
        assert account.wait_s == 3 * 3600

    def test_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each field can be an environment variable."""
        monkeypatch.setenv("KLING_API_KEY", KEY)
        monkeypatch.setenv("KLING_REGION", "beijing")
        monkeypatch.setenv("KLING_MEDIA_HOSTS", "cdn.example.com, .b.example.org")
        account = Account.load()
        assert account.secrets() == (KEY,)
        assert account.origin == "https://api-beijing.klingai.com"
        assert account.media_hosts == ("cdn.example.com", "b.example.org")

    def test_the_names_of_other_tools(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """KLINGAI_... is read if KLING_... is not set."""
        monkeypatch.setenv("KLINGAI_API_KEY", KEY)
        assert Account.load().secrets() == (KEY,)
        monkeypatch.setenv("KLING_API_KEY", "another")
        assert Account.load().secrets() == ("another",)

    def test_a_file(self, no_account: Path) -> None:
        """Each field can be a line of a TOML file."""
        _file(no_account, f"api_key = '{KEY}'\nregion = 'old'\nmedia_hosts = ['a.example.com']\n")
        account = Account.load()
        assert account.secrets() == (KEY,)
        assert account.origin == "https://api.klingai.com"
        assert account.media_hosts == ("a.example.com",)

    def test_the_environment_wins(self, no_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable overrides the file, unless it is empty."""
        _file(no_account, "api_key = 'of-the-file'\nregion = 'old'\n")
        monkeypatch.setenv("KLING_API_KEY", KEY)
        monkeypatch.setenv("KLING_REGION", "")
        account = Account.load()
        assert account.secrets() == (KEY,)
        assert account.region == "old"

    def test_a_file_that_others_can_read(self, no_account: Path) -> None:
        """The file is used, with a warning that says what to do."""
        _file(no_account, f"api_key = '{KEY}'\n", 0o644)
        with pytest.warns(UserWarning, match="chmod 600") as caught:
            assert Account.load().secrets() == (KEY,)
        assert KEY not in str(caught[0].message)

    def test_a_private_file(self, no_account: Path) -> None:
        """There is no warning."""
        _file(no_account, f"api_key = '{KEY}'\n")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Account.load()

    @pytest.mark.parametrize(
        ("set_to", "submit_protocol"),
        [
            ({"KLING_API_KEY": "a"}, "new"),
            ({"KLING_ACCESS_KEY": "a", "KLING_SECRET_KEY": "b"}, "legacy"),
            ({"KLING_API_KEY": "a", "KLING_ACCESS_KEY": "a", "KLING_SECRET_KEY": "b"}, "new"),
            ({"KLING_API_KEY": "a", "KLING_PROTOCOL": "legacy"}, "legacy"),
        ],
    )
    def test_the_keys_choose_the_protocol(
        self, monkeypatch: pytest.MonkeyPatch, set_to: dict[str, str], submit_protocol: str
    ) -> None:
        """A key pair alone selects the legacy protocol; KLING_PROTOCOL overrides it."""
        for name, value in set_to.items():
            monkeypatch.setenv(name, value)
        assert Account.load().submit_protocol == submit_protocol


class TestMistakes:
    """Wrong settings are reported in one line, without their values."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("KLING_API_KEY", "two words-secret"),
            ("KLING_API_KEY", "snowman-☃-secret"),
            ("KLING_REGION", "mars-secret"),
            ("KLING_PROTOCOL", "secret"),
            ("KLING_CONCURRENCY", "secret"),
            ("KLING_CONCURRENCY", "0"),
            ("KLING_POLL_S", "-1"),
            ("KLING_URL", "http://secret.example.com"),
            ("KLING_URL", "https://secret@example.com"),
            ("KLING_URL", "https://example.com/secret"),
            ("KLING_URL", "ftp://127.0.0.1"),
            ("KLING_URL", "https://example.com:secret"),
            ("KLING_MEDIA_HOSTS", "https://secret/"),
            ("KLING_MEDIA_HOSTS", "com"),
            ("KLING_CALLBACK_URL", "secret"),
            ("KLING_CALLBACK_PORT", "99999"),
        ],
    )
    def test_a_wrong_value(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        """Neither the message nor a chained exception contains the value."""
        monkeypatch.setenv(name, value)
        with pytest.raises(BackendError, match=name) as error:
            KlingBackend()
        assert "\n" not in str(error.value)
        assert "secret" not in "".join(traceback.format_exception(error.value)).replace(
            "secret_key", ""
        ).replace("webhook_secret", "").replace("_secrets", "").replace("secrets", "")

    @pytest.mark.parametrize("text", ["api_key = secret", "api_kee = 'secret'", "\x00", "= ="])
    def test_a_wrong_file(self, no_account: Path, text: str) -> None:
        """The message names the file."""
        _file(no_account, text)
        with pytest.raises(BackendError, match=r"kling\.toml") as error:
            Account.load()
        assert "'secret'" not in str(error.value)

    def test_loopback_may_be_plain(self) -> None:
        """An emulator on this machine needs no https; a trailing slash is removed."""
        assert Account(url="http://127.0.0.1:8080/").origin == "http://127.0.0.1:8080"
        assert Account(url="http://[::1]:80").on_loopback
        assert not Account(url="https://example.com").on_loopback


class TestNoKey:
    """Planning needs no key; submitting without a key says what to set."""

    def test_planning_needs_none(self, take_with: object) -> None:
        """Quotes and limits work without a key."""
        backend = KlingBackend()
        shot = take_with().shot  # type: ignore[operator]
        assert backend.quote(shot).low_usd == pytest.approx(0.42)
        assert not [item for item in backend.limits(shot) if item.blocking]

    def test_buying_names_variables_and_file(self, no_account: Path, take_with: object) -> None:
        """The message names both kinds of key and the settings file."""
        backend = KlingBackend()
        for act in (backend.prepare, lambda: backend.submit(take_with(), "k")):  # type: ignore[operator]
            with pytest.raises(AccountError) as error:
                act()
            for named in ("KLING_API_KEY", "KLING_ACCESS_KEY", "KLING_SECRET_KEY", str(no_account)):
                assert named in str(error.value)

    def test_a_pair_on_the_new_protocol(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is unconfirmed that this works, so it is rejected before anything is sent."""
        monkeypatch.setenv("KLING_ACCESS_KEY", "a")
        monkeypatch.setenv("KLING_SECRET_KEY", "b")
        KlingBackend().prepare()
        monkeypatch.setenv("KLING_PROTOCOL", "new")
        with pytest.raises(AccountError, match="KLING_PROTOCOL=legacy"):
            KlingBackend().prepare()


class TestConfiguredSecrets:
    """Every secret in the settings is known, so that a report can exclude it."""

    def test_in_the_environment_and_in_the_file(
        self, no_account: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An overridden secret is known, too; each names its setting."""
        _file(no_account, "api_key = 'of-the-file'\nwebhook_secret = 'whsec_x'\nregion = 'old'\n")
        monkeypatch.setenv("KLING_API_KEY", KEY)
        monkeypatch.setenv("KLINGAI_SECRET_KEY", "of-another-tool")
        texts = {secret.text: secret.setting for secret in KlingBackend.secrets()}
        assert texts == {
            KEY: "KLING_API_KEY",
            "of-another-tool": "KLINGAI_SECRET_KEY",
            "of-the-file": "KLING_API_KEY (api_key in kling.toml)",
            "whsec_x": "KLING_WEBHOOK_SECRET (webhook_secret in kling.toml)",
        }

    @pytest.mark.parametrize(
        "text",
        [
            "api_key = of-the-file",
            "  api_key=\"of-the-file\nregion = 'old'",
            "= =\napi_key = 'of-the-file' # mine",
            "api_key = 'of-the-file'\nconcurrency = 0\nmoon = true",
        ],
    )
    def test_in_broken_settings(
        self, no_account: Path, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        """A secret is known even if the account cannot be opened."""
        _file(no_account, text)
        monkeypatch.setenv("KLING_SECRET_KEY", "two words")
        with pytest.raises(BackendError):
            KlingBackend()
        assert {secret.text for secret in KlingBackend.secrets()} == {"of-the-file", "two words"}

    def test_where_nothing_can_be_read(
        self, no_account: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder, a binary file or an unknown home directory gives no secrets and no error."""
        no_account.write_bytes(b"\xff\x00 api_key")
        assert KlingBackend.secrets() == ()
        for path in (str(no_account.parent), "~nobody-of-that-name/kling.toml"):
            monkeypatch.setenv("KLING_SETTINGS", path)
            assert KlingBackend.secrets() == ()


def test_no_secret_is_shown() -> None:
    """repr, str and JSON do not contain secrets."""
    account = Account(api_key=KEY, access_key="ak-x", secret_key="sk-x", webhook_secret="whsec_x")
    shown = f"{account!r} {account} {account.model_dump_json()} {KlingBackend(account=account)!r}"
    assert not [secret for secret in account.secrets() if secret in shown]
    assert len(account.secrets()) == 4
    assert pickle.loads(pickle.dumps(account)).secrets() == account.secrets()
