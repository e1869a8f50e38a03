"""How an alert is written for whoever takes it: plain JSON, Slack, Discord, Telegram.

Slack's incoming webhooks take `text` (docs.slack.dev, "Incoming webhooks"), Discord's `content` of at most 2,000
characters (discord.com/developers, "Execute Webhook"), Telegram's sendMessage `chat_id` and `text` of at most 4,096
(core.telegram.org/bots/api#sendmessage).
"""

from typing import Any

from daemon.alerts.alert import Alert, Level
from daemon.times import iso_of

SIGNS = {Level.INFO: "ℹ️", Level.WARNING: "⚠️", Level.CRITICAL: "🛑"}
OVER = "✅"
DISCORD_CHARS_MAX, TELEGRAM_CHARS_MAX, SLACK_CHARS_MAX = 2_000, 4_096, 4_000
SLACK_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def body(alert: Alert, kind: str, who: str, chat_id: str = "") -> dict[str, Any]:
    """What is posted; `who` names the run and its machine."""
    match kind:
        case "slack":
            return {"text": _escaped(words(alert, who))[:SLACK_CHARS_MAX]}
        case "discord":  # nobody is mentioned, whatever a venue's words hold
            return {"content": words(alert, who)[:DISCORD_CHARS_MAX], "allowed_mentions": {"parse": []}}
        case "telegram":
            text = words(alert, who)[:TELEGRAM_CHARS_MAX]
            return {"chat_id": chat_id, "text": text, "disable_web_page_preview": True}
    return {
        "source": "obid",
        "who": who,
        "key": alert.key,
        "level": alert.level.value,
        "over": alert.over,
        "title": alert.title,
        "text": alert.text,
        "at": iso_of(alert.at_ns),
    }


def words(alert: Alert, who: str) -> str:
    """An alert as people read it."""
    sign = OVER if alert.over else SIGNS[alert.level]
    tail = f"\n{alert.text}" if alert.text else ""
    return f"{sign} {alert.title}\n{who}, {iso_of(alert.at_ns)[:19]} UTC{tail}"


def _escaped(text: str) -> str:
    for character, safe in SLACK_SPECIAL.items():
        text = text.replace(character, safe)
    return text
