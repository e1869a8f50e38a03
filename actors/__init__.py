"""actors carry: one file an actor, a mind that decides and a body that lives."""
