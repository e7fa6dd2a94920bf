"""Prints every trial of a session, from its first on: `python subscriber.py tcp://127.0.0.1:PORT` (its control)."""

import sys

from decoderd_client import Session


def main(control: str) -> None:
    """Follow one session to its end."""
    with Session(control) as session:
        description = session.describe()
        print(f"{description['session']}: {description['state']} at tick {description['tick']}")
        with session.subscribe(["trial"], from_start=True) as messages:
            for message in messages:
                seconds = (message.tick - message.start_tick) * description["tick_s"]
                print(f"trial {message.trial}: {message.outcome} after {seconds:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1])
