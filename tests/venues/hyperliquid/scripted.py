"""Who answers questions as a test says, in a time that passes when somebody sleeps."""

import json
from collections import defaultdict, deque

from supervisor.clock import NS_PER_S

NOW_NS = 1_790_000_000_000_000_000


class ScriptedClock:
    """Sleeping takes no time."""

    def __init__(self):
        self.at_ns = NOW_NS
        self.slept = []

    def now_ns(self):
        return self.at_ns

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.at_ns += round(seconds * NS_PER_S)


class ScriptedAsker:
    """The answers of each kind of question, in order, the last for ever; an answer may be made of the question."""

    def __init__(self, **answers):
        self.clock = ScriptedClock()
        self.answers = {kind: deque(rows) for kind, rows in answers.items()}
        self.asked = defaultdict(list)

    async def ask(self, ask, urgency=None):
        body = ask.body
        self.asked[ask.kind].append(body)
        answers = self.answers[ask.kind]
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, Exception):
            raise answer
        return ask.read(json.dumps(answer))
