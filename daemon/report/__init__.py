"""What a day, a week or a run came to: read from the journal and the log, written as Markdown, HTML or JSON."""
