"""Tasks: what the subject is asked to do, tick by tick."""

from decoderd.tasks.contract import Task

__all__ = ["Task"]
