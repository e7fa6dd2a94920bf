"""Tasks: what the subject is asked to do, tick by tick."""

from decoderd.tasks.contract import Demands, Task, Unchanged

__all__ = ["Demands", "Task", "Unchanged"]
