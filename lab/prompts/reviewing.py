"""What a prompt was understood to ask for, what is wrong with it, and how to write it."""

from dataclasses import dataclass
from typing import Any

from lab.findings import Finding
from lab.prompts.lint import RECOMMENDED_CHARS, lint, rewritten
from lab.prompts.prompt import Prompt
from lab.prompts.vocabulary import KINDS
from lab.stills import Still


@dataclass(frozen=True)
class Review:
    """A prompt, its findings, and the rewrite that resolves them, "" where there is none."""

    prompt: Prompt
    findings: tuple[Finding, ...]
    rewrite: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        reading = self.prompt.reading
        return {
            **self.prompt.to_json(),
            "factors": self.prompt.factors(),
            "negated": [term.name for term in reading.negated],
            "other_motions": [action.verb for action in reading.actions if not action.negated],
            "unread": list(reading.unread),
            "findings": [finding.to_json() for finding in self.findings],
            "rewrite": self.rewrite,
        }

    def __str__(self) -> str:
        reading, factors = self.prompt.reading, self.prompt.factors()
        by_label = {str(kind): factors[kind].replace("+", ", ") for kind in KINDS}
        by_label["other motion"] = ", ".join(action.verb for action in reading.actions)
        by_label["not"] = ", ".join(term.name for term in reading.negated)
        by_label["not understood"] = "; ".join(reading.unread)
        lines = [str(reading)]
        lines += [f"  {label + ':':<16}{text}" for label, text in by_label.items() if text]
        for finding in self.findings:
            number = (
                "" if finding.value is None else f" ({finding.value:g}, limit {finding.limit:g})"
            )
            lines.append(f"  {finding.severity}: {finding.says}{number}; {finding.fix}")
            lines += [f"    {finding.rewrite}"] if finding.rewrite else []
        lines += [f"try: {self.rewrite}"] if self.rewrite else []
        return "\n".join(lines)


def review(
    prompt: Prompt | str,
    still: Still | None = None,
    *,
    aspect_ratio: str | None = None,
    max_chars: int = RECOMMENDED_CHARS,
) -> Review:
    """Read, lint and rewrite a prompt. The parameters and errors are those of `lint`."""
    prompt = Prompt.from_text(prompt) if isinstance(prompt, str) else prompt
    findings = lint(prompt, still, aspect_ratio=aspect_ratio, max_chars=max_chars)
    best = rewritten(prompt, still, aspect_ratio=aspect_ratio, max_chars=max_chars).text
    return Review(prompt, findings, "" if best == prompt.text else best)
