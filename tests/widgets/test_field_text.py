"""Levels as text in a field, and back."""

from lab.widgets.field_text import parse_levels, setting_level_text


def test_levels_come_back_with_their_type() -> None:
    """Texts that look like commas, numbers or switches stay texts, and numbers stay numbers."""
    levels = ["blur, text", "on", "2", "", 2, 2.0, True, 'a "b"', "plain"]
    text = ", ".join(setting_level_text("negative", level) for level in levels)
    parsed = parse_levels(text)
    assert [(type(level), level) for level in parsed] == [(type(level), level) for level in levels]
