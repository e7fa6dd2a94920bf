"""The centre-out task of `centre_out_pygame.py` in PsychoPy: the same rules, another display.

    pip install psychopy-lib
    decoderd run centre_out.toml --serve --speed lockstep --participant task=tick --out runs/centre-out
    python centre_out_psychopy.py tcp://127.0.0.1:PORT     # the control endpoint that it prints

Escape ends the program. The rules, and the two ways to connect to a session, are in centre_out_task.py.
"""

from __future__ import annotations

import argparse
from typing import Any

from centre_out_task import RADIUS_M, CentreOut, connect
from psychopy import core, event, visual

from decoderd_client import Session

SIDE, FRAMES_HZ = 600, 60
PIXELS_PER_M = 3000
GREY, WHITE, BLUE, GREEN = "#4a5560", "#f2f2f2", "#3d7dca", "#4caf6d"


def pixels(position: Any) -> tuple[float, float]:
    """Where a position (m) is in the window: the centre is (0, 0), and y points up."""
    return PIXELS_PER_M * position[0], PIXELS_PER_M * position[1]


def draw(shapes: dict[str, Any], task: CentreOut, cursor: Any) -> None:
    """One frame: the target, the cursor, and how many trials succeeded."""
    shapes["centre"].draw()
    if task.target is not None:
        shapes["target"].pos, shapes["target"].fillColor = pixels(task.target), GREEN if task.inside else BLUE
        shapes["target"].draw()
    shapes["cursor"].pos = pixels(cursor)
    shapes["cursor"].draw()
    shapes["text"].text = f"{task.outcomes.count('success')} of {len(task.outcomes)} reached"
    shapes["text"].draw()


def main() -> None:
    """Show the task until the session is over, Escape is pressed or there were enough trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("control", help="control endpoint of the session")
    parser.add_argument("--trials", type=int, default=10**9, help="end after so many trials")
    parser.add_argument("--picture", help="write the last frame to this file (PNG)")
    options = parser.parse_args()
    window = visual.Window((SIDE, SIDE), units="pix", color="#101418", allowGUI=True)
    shapes = {
        "centre": visual.Circle(window, radius=3, fillColor=GREY, lineColor=None),
        "target": visual.Circle(window, radius=PIXELS_PER_M * RADIUS_M, lineColor=None),
        "cursor": visual.Circle(window, radius=8, fillColor=WHITE, lineColor=None),
        "text": visual.TextStim(window, pos=(-190, 275), height=22, color=WHITE),
    }
    with Session(options.control) as session:
        task, connection = connect(session, FRAMES_HZ)
        tick = connection.frame([])
        while tick is not None and len(task.outcomes) < options.trials and not event.getKeys(["escape"]):
            draw(shapes, task, tick.cursor)
            window.flip()  # returns when the frame is on the screen
            tick = connection.frame(task.step(tick))
    if options.picture:
        draw(shapes, task, tick.cursor if tick is not None else (0.0, 0.0))
        window.getMovieFrame(buffer="back")
        window.saveMovieFrames(options.picture)
    print(f"{task.outcomes.count('success')} of {len(task.outcomes)} trials succeeded", flush=True)
    window.close()
    core.quit()


if __name__ == "__main__":
    main()
