"""Calendars: what happens on which day, asked of those who publish it."""
