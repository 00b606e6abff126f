"""A cohort as a study: every case, network, attack, drop and seed a task, here or on a Dask cluster; tables and a report."""

from ...elsewhere.connecting import ClusterLostError
from .driving import StudySummary, run_study
from .executors import Executor, InProcess
from .pipeline import run_cohort
from .request import StudyRequest
from .task import NetworkSpec, Task
from .task_record import TaskRecord, TaskStore
from .working import run_task

__all__ = [
    "ClusterLostError",
    "Executor",
    "InProcess",
    "NetworkSpec",
    "StudyRequest",
    "StudySummary",
    "Task",
    "TaskRecord",
    "TaskStore",
    "run_cohort",
    "run_study",
    "run_task",
]
