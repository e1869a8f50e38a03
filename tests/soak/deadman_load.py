"""A process that wants all the time of one core, for the dead man's drill."""

if __name__ == "__main__":
    while True:
        sum(range(10_000))
