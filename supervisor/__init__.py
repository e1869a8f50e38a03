"""supervisor keeps alive: actors, mailboxes, restarts, clocks and the journal; it knows no market."""
