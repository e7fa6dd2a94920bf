"""A centre-out task in pygame: a subject in decoderd moves the cursor to the targets that this program shows.

    pip install pygame-ce
    decoderd run centre_out.toml --serve --speed lockstep --participant task=tick --out runs/centre-out
    python centre_out_pygame.py tcp://127.0.0.1:PORT     # the control endpoint that it prints

Without the options of lockstep (`--speed realtime`) the session runs by its own clock, and the same program follows
it. Escape ends the program; started again, it goes on with the next trial. The rules are in centre_out_task.py.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame
from centre_out_task import RADIUS_M, CentreOut, connect

from decoderd_client import Session

SIDE, FRAMES_HZ = 600, 50
PIXELS_PER_M = 3000
BLACK, GREY, WHITE, BLUE, GREEN = "#101418", "#4a5560", "#f2f2f2", "#3d7dca", "#4caf6d"


def pixels(position: Any) -> tuple[int, int]:
    """Where a position (m) is on the screen: the centre is (0, 0), and y points up."""
    return round(SIDE / 2 + PIXELS_PER_M * position[0]), round(SIDE / 2 - PIXELS_PER_M * position[1])


def draw(screen: pygame.Surface, task: CentreOut, cursor: Any) -> None:
    """One frame: the target, the cursor, and how many trials succeeded."""
    screen.fill(BLACK)
    pygame.draw.circle(screen, GREY, pixels((0, 0)), 3)
    if task.target is not None:
        pygame.draw.circle(screen, GREEN if task.inside else BLUE, pixels(task.target), round(PIXELS_PER_M * RADIUS_M))
    pygame.draw.circle(screen, WHITE, pixels(cursor), 8)
    text = f"{task.outcomes.count('success')} of {len(task.outcomes)} reached"
    screen.blit(pygame.font.Font(None, 28).render(text, True, WHITE), (16, 14))


def main() -> None:
    """Show the task until the session is over, the window is closed or there were enough trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("control", help="control endpoint of the session")
    parser.add_argument("--trials", type=int, default=10**9, help="end after so many trials")
    parser.add_argument("--fast", action="store_true", help="do not wait between frames, in lockstep")
    parser.add_argument("--picture", help="write the last frame to this file (PNG)")
    options = parser.parse_args()
    pygame.display.init()
    pygame.font.init()
    screen, clock = pygame.display.set_mode((SIDE, SIDE)), pygame.time.Clock()
    pygame.display.set_caption("centre-out")
    with Session(options.control) as session:
        task, connection = connect(session, FRAMES_HZ)
        tick = connection.frame([])
        while tick is not None and len(task.outcomes) < options.trials and not closed():
            draw(screen, task, tick.cursor)
            pygame.display.flip()
            clock.tick(0 if options.fast else FRAMES_HZ)
            tick = connection.frame(task.step(tick))
    if options.picture:
        pygame.image.save(screen, options.picture)
    print(f"{task.outcomes.count('success')} of {len(task.outcomes)} trials succeeded")
    pygame.quit()


def closed() -> bool:
    """Whether the window was closed or Escape was pressed."""
    return any(
        event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE)
        for event in pygame.event.get()
    )


if __name__ == "__main__":
    main()
