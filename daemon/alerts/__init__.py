"""Alerts: what needs a person is told to a webhook, once, and not more often than a person can bear."""
