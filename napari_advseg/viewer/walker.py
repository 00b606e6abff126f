"""Walks the strength path of a result: one measurement at a time, in the worker's thread. Knows Qt, not napari."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from .core import Core
from .faults import fault_line, log
from .in_hand import Outcome
from .player import Player
from .strength_walk import Step, StrengthWalk, asked_for, play_strengths, walk_line
from .walk_jobs import completed, measured, tabulated
from .worker import Job, Worker

GATHER_MS = 80  # of the slider's values within this time the last one counts
REST_MS = 600  # what takes long is measured once nothing has been asked for this long
PLAY_STEPS = 8
_TRIES = 3  # measurements to come nearer to one drop


class Walker(QObject):
    """Answers to drops and strengths with outcomes.

    ``walked`` carries the outcome at another strength, ``completed`` the shown one with its control measured,
    ``measured`` the step that is shown once its rows are known, ``told`` a line for the user, ``path_changed`` nothing.
    """

    walked = Signal(object)
    completed = Signal(object)
    measured = Signal(object)
    told = Signal(str)
    path_changed = Signal()

    def __init__(self, core: Core, worker: Worker) -> None:
        super().__init__()
        self._core, self._worker = core, worker
        worker.returned.connect(self._on_return)
        worker.raised.connect(self._on_fault)
        self.player = Player(lambda: self._measuring is None)
        self.player.step.connect(self._play_on)
        self._gather, self._rest = QTimer(self), QTimer(self)
        for timer, milliseconds, then in (
            (self._gather, GATHER_MS, self._next),
            (self._rest, REST_MS, self._finish_shown),
        ):
            timer.setInterval(milliseconds)
            timer.setSingleShot(True)
            timer.timeout.connect(then)
        self.allowed = True
        self._case_open = False
        self._walk: StrengthWalk | None = None
        self._outcome: Outcome | None = None
        self._shown: Step | None = None
        self._wanted: tuple[float | None, float | None] | None = None  # a drop, or a strength
        self._tries = 0
        self._refused = ""
        self._measuring: Job | None = None
        self._measuring_drop: float | None = None
        self._finishing: Job | None = None

    # What can be asked for

    def take(self, outcome: Outcome, *, case_open: bool) -> None:
        """Walk the path of this outcome from now on; only looked at where its case is not open."""
        self.clear()
        self._case_open = case_open
        self._outcome = outcome
        shown = Step(outcome.finding, outcome.scene)
        self._walk = StrengthWalk(outcome.found or outcome.finding, shown)
        self._shown = shown
        self.path_changed.emit()
        self._finish_shown()

    def clear(self) -> None:
        """There is nothing to walk."""
        self.pause()
        self._walk = self._outcome = self._shown = None
        self._refused = ""
        self.path_changed.emit()

    def close(self) -> None:
        """Nothing is told any more."""
        with suppress(RuntimeError):  # Qt has deleted its half where Python ends with the window still open
            self.blockSignals(True)
            self.player.blockSignals(True)
            self.clear()

    def ask(self, drop: float) -> None:
        """Look for the strength that costs ``drop``."""
        self._want(drop, None)

    def refuse(self, line: str) -> None:
        """The slider asks for what the path cannot give; what is shown stays."""
        self._gather.stop()
        self._wanted, self._refused = None, line
        self.told.emit(line)

    def set_strength(self, strength: float) -> None:
        """Show the change at a strength in [0, 1]."""
        self._want(None, min(1.0, max(0.0, strength)))

    def play(self) -> None:
        """From nothing to what was found and back, until :meth:`stop`."""
        if self._walk is not None and self.can_walk and not self.playing:
            self._drop_wishes()
            self._refused = ""
            self.player.start(play_strengths(self._walk.found.result.strength, PLAY_STEPS))

    def stop(self) -> None:
        """Stop playing; what is shown then stays."""
        if self.player.stop():
            self._wanted = None
            self._rest.start()

    def pause(self) -> None:
        """Something else is going on: drop what was asked for."""
        self.stop()
        self._drop_wishes()
        self._rest.stop()

    def resume(self) -> None:
        """Measure what is still missing of the shown change."""
        if self._walk is not None:
            self._rest.start()

    def change(self, change: Any) -> None:
        """Change all findings, as when an organ is renamed; ``change`` is given each."""
        if self._walk is not None and self._outcome is not None and self._shown is not None:
            self._walk.change(change)
            self._outcome = self._outcome.changed(change)
            self._shown = self._shown.changed(change)

    def know(self, outcome: Outcome) -> None:
        """What is shown has been measured to its end elsewhere."""
        if self._walk is not None and self._shown is not None and self._outcome is not None:
            self._outcome = outcome
            self._shown = replace(self._shown, finding=outcome.finding)
            self._walk.keep(self._shown)

    # What is known

    @property
    def playing(self) -> bool:
        return self.player.playing

    @property
    def can_walk(self) -> bool:
        """Whether other strengths can be measured."""
        return self._case_open and self._walk is not None and self._walk.possible

    @property
    def awaited(self) -> bool:
        """Whether the slider has asked for something that is not shown."""
        return bool(self._refused) or (self._wanted is not None and self._wanted[0] is not None)

    @property
    def walk(self) -> StrengthWalk | None:
        return self._walk

    @property
    def shown(self) -> Step | None:
        """The step that is shown."""
        return self._shown

    @property
    def control(self) -> tuple[float, float] | None:
        """Strength and drop of the random control of what is shown; of what was found, until that is measured."""
        if self._outcome is None:
            return None
        for finding in (self._outcome.finding, self._outcome.found):
            if finding is not None and finding.evidence is not None:
                return finding.result.strength, finding.evidence.control_drop
        return None

    def line(self) -> str:
        """What was asked, reached, and what chance would have reached, or why it cannot be; "" where nothing is shown."""
        if self._outcome is None:
            return ""
        return self._refused or walk_line(self._outcome.finding.result, self.control)

    # One measurement after the other

    def _want(self, drop: float | None, strength: float | None) -> None:
        if not self.can_walk or not self.allowed:
            return
        self.stop()
        self._wanted, self._tries, self._refused = (drop, strength), 0, ""
        self._rest.stop()
        if not self._gather.isActive():
            self._gather.start()

    def _next(self) -> None:
        """Answer to what is wanted now; while something is being measured its end calls this again."""
        walk, wanted = self._walk, self._wanted
        if walk is None or wanted is None or self._measuring is not None:
            return
        drop, strength = wanted
        if strength is None:
            assert drop is not None
            strength = walk.strength_for(drop, known_only=self._tries >= _TRIES)
            if strength is None:
                self._wanted = None
                self.refuse(
                    f"{drop:.2f} is more than the strongest change found costs ({walk.strongest:.3f}): "
                    "run again to look for one that does."
                )
                self._rest.start()
                return
        if (step := walk.kept(strength)) is not None:
            self._wanted = None
            shown = self._shown
            if shown is not None and shown.strength == strength and drop in (None, shown.finding.result.target_drop):
                self.told.emit(self.line())
            else:
                self._show(step, drop)
            if not self.playing:
                self._rest.start()
            return
        self._tries += 1
        self._cancel_finishing()
        latest, case_id = walk.latest, self._outcome.case_id if self._outcome is not None else ""
        self._measuring_drop = drop
        self._measuring = self._worker.submit(lambda token: measured(self._core, latest, strength, case_id, token))

    def _show(self, step: Step, drop: float | None) -> None:
        walk, outcome = self._walk, self._outcome
        if walk is None or outcome is None:
            return
        if drop is None and step.strength == outcome.finding.result.strength:
            drop = outcome.finding.result.target_drop
        self._shown = walk.asked(step, asked_for(step.drop) if drop is None else drop)
        self._outcome = outcome.walked(walk.found, self._shown.finding, step.scene)
        self.walked.emit(self._outcome)
        if step.rows:
            self.measured.emit(self._shown)

    def _finish_shown(self) -> None:
        """The rows and then the control of what is shown, where they are missing."""
        step = self._shown
        if step is None or self._measuring is not None or self._finishing is not None:
            return
        if not step.rows:
            self._finishing = self._worker.submit(lambda _token: tabulated(step))
        elif step.finding.evidence is None and self.can_walk and self._outcome is not None:
            if step.finding.result.stopped and self._outcome.found is None:
                return  # the user has stopped the run just now
            case_id = self._outcome.case_id
            self._finishing = self._worker.submit(lambda token: completed(self._core, step, case_id, token))

    def _on_return(self, job: Job, value: Any) -> None:
        walk = self._walk
        if job is self._measuring and walk is not None:
            self._measuring = None
            walk.keep(value)
            self._show(value, self._measuring_drop)
            self.path_changed.emit()
            self._next()
            if self._wanted is None and not self.playing:
                self._rest.start()
        elif job is self._finishing and walk is not None and self._shown is not None:
            self._finishing = None
            before, self._shown = self._shown, value
            walk.keep(value)
            self._on_finished(before, value)
            self._finish_shown()

    def _on_finished(self, before: Step, step: Step) -> None:
        if before.rows != step.rows:
            self.measured.emit(step)
        if before.finding is not step.finding and self._outcome is not None and self._walk is not None:
            redrawn = before.scene is not step.scene  # a random network, whose repeats show another segmentation
            self._outcome = self._outcome.walked(self._walk.found, step.finding, step.scene)
            (self.walked if redrawn else self.completed).emit(self._outcome)

    def _on_fault(self, job: Job, fault: BaseException) -> None:
        if job not in (self._measuring, self._finishing):
            return
        self._measuring = self._finishing = None
        self.stop()
        self._wanted = None
        name = type(fault).__name__
        if name == "Cancelled":
            return
        if name == "OutOfMemoryError":
            self._core.release()
        log.warning("a strength could not be measured", exc_info=fault)
        self.told.emit(fault_line(fault))

    def _play_on(self, strength: float) -> None:
        self._wanted, self._tries = (None, strength), 0
        self._next()

    def _drop_wishes(self) -> None:
        self._gather.stop()
        self._wanted, self._tries = None, 0
        self._cancel_finishing()
        if self._measuring is not None:
            self._measuring.cancel()
            self._measuring = None

    def _cancel_finishing(self) -> None:
        if self._finishing is not None:
            self._finishing.cancel()
            self._finishing = None
