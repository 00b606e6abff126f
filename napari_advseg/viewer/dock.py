"""The dock widget: panels over a controller, and the viewer's layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from .after_run import AfterRun
from .answers import Answers
from .attacker_panel import AttackerPanel
from .case_layers import CaseLayers
from .column import pinned, scrolling_column
from .compare.open_button import OpenButton
from .controller import Controller
from .core import Core, PackageCore
from .dock_widget import DockWidget
from .draws_panel import DrawsPanel
from .drop_slider import DropSlider
from .first_steps import FirstSteps
from .habits import apply_defaults
from .inputs_panel import InputsPanel
from .job_panel import JobPanel
from .label_names import LabelNames
from .layers import ct_case
from .limits_panel import LimitsPanel
from .message_line import MessageLine
from .network_panel import NetworkPanel
from .open_layers import OpenLayers
from .organs_panel import OrgansPanel
from .presentation.presenter import Presenter
from .questions import ask_save_folder
from .result_panel import ResultPanel
from .state import Phase
from .sweeps import ShortSweeps
from .take_along.panel import TakeAlongPanel
from .taking_up import TakingUp
from .training_panel import TrainingPanel
from .walk_panel import WalkPanel
from .wishes import AttackWish, CaseWish

if TYPE_CHECKING:
    import napari

_SETTLE_MS = 300  # a sample adds two layers, so a case is opened a moment after the last choice


class AttackDock(DockWidget):
    """Attack a segmentation network on a CT.

    Parameters
    ----------
    napari_viewer
        The viewer that the dock belongs to.
    core
        What does the work; the package's own rooms by default.
    """

    def __init__(self, napari_viewer: napari.Viewer, core: Core | None = None) -> None:
        super().__init__()
        self.undocked.connect(self.shut_down)
        self._viewer = napari_viewer
        core = core or PackageCore()
        self.controller = Controller(core)
        self.layers = CaseLayers(napari_viewer)
        layers = self.layers
        self.controller.filling = lambda: layers.filling or not self.painted
        self._sweeps = ShortSweeps(napari_viewer)
        self.first_steps = FirstSteps()
        self.inputs = InputsPanel()
        self.inputs.compute.look_at = core.compute_line
        self.network = NetworkPanel()
        self.organs = OrgansPanel()
        self.slider = DropSlider()
        self.walk = WalkPanel()
        self.attacker = AttackerPanel()
        self.limits = LimitsPanel()
        self.job = JobPanel()
        self.draws = DrawsPanel()
        self.result = ResultPanel()
        self.take_along = TakeAlongPanel(self.controller, core)
        self.training = TrainingPanel()
        self.target: float | None = None  # of the run that was last asked for
        self._message = MessageLine()
        self._opening_timer = QTimer(self)
        self._opening_timer.setSingleShot(True)
        self._opening_timer.setInterval(_SETTLE_MS)
        self.names = LabelNames(
            self.controller, self.network, self.organs, self.layers, self._message.say, self.open_case
        )
        self._lay_out()
        self.answers = Answers(self)
        self._connect()
        self.after = AfterRun(self)
        self._open_layers = OpenLayers(
            napari_viewer, self.inputs, self.training, lambda: not self.controller.phase.busy
        )
        self.bundles = TakingUp(napari_viewer, self)
        self.presenter = Presenter(self)
        self.take_along.present_asked.connect(self.presenter.open)
        apply_defaults(self)
        self._sweeps.begin()  # for the first case, which may be clicked before everything is loaded
        self.answers.show_phase(Phase.IDLE)

    # What the user asks for

    def say(self, line: str, failed: bool = False) -> None:
        """One line for the user."""
        self._message.say(line, failed)

    def open_case(self) -> None:
        """Open the case that the inputs describe."""
        self._opening_timer.stop()
        self._ask(lambda wish: self.controller.open(wish, ct_case(self.inputs.ct.value())))

    def run(self) -> None:
        """Attack the case."""
        self.target = self.slider.drop()
        self._ask(lambda wish: self.controller.run(wish, self._attack_wish(), ct_case(self.inputs.ct.value())))

    def train(self) -> None:
        """Train an attacker for the network; where every organ is checked, other CTs may show more of them."""

        def ask(wish: CaseWish) -> None:
            attack = self._attack_wish()
            attack = replace(attack, organs=()) if self.organs.all_chosen else attack
            self.controller.train(wish, self.training.wish(attack, self.controller.in_hand))

        self._ask(ask, otherwise=self.training.any_ct())

    def save(self) -> bool:
        """Ask for a folder and write the bundle there; whether it is being written now."""
        outcome = self.controller.outcome
        if outcome is None:
            return False
        finding = outcome.finding
        folder = ask_save_folder(self, finding.case.network.card.name, finding.result.target_drop)
        if folder is not None:
            self.save_to(folder)
        return self.controller.phase is Phase.SAVING

    def save_to(self, folder: Path) -> None:
        """Write the bundle of the last result."""
        self._message.say("", False)
        self.controller.save(folder)

    def shut_down(self) -> None:
        """Stop the work and let go of the viewer; returns at once, and may be called again."""
        if not self.controller.closed:
            self._opening_timer.stop()
            self.inputs.compute.let_go()
            self._open_layers.let_go()
            self.bundles.let_go()
            self.presenter.leave()
            self.layers.disconnect_all()
            self.after.let_go()
            self.controller.shut_down()

    # Wishes from the panels

    @property
    def viewer(self) -> napari.Viewer:
        return self._viewer

    def settings(self, otherwise: Any) -> tuple[CaseWish, AttackWish]:
        """What is chosen, for other CTs too, as ``train`` takes it; ``otherwise`` is a CT where none is chosen."""
        attack = self._attack_wish()
        attack = replace(attack, organs=()) if self.organs.all_chosen else attack
        return replace(self.inputs.wish(otherwise), labels=self.network.wished_names()), attack

    def _attack_wish(self) -> AttackWish:
        organs = self.organs.chosen()
        if self.controller.in_hand is None:
            organs = ()
        elif not organs:
            raise ValueError("Check at least one organ.")
        chosen = tuple(self.network.name(organ.id, organ.name) for organ in organs)
        settings = self.attacker.values() | self.limits.values()
        return AttackWish(drop=self.slider.drop(), organs=chosen, compute=self.inputs.compute.address(), **settings)

    def _ask(self, do: Any, otherwise: Any = None) -> None:
        self._message.say("", False)
        try:
            do(replace(self.inputs.wish(otherwise), labels=self.network.wished_names()))
        except ValueError as fault:
            self._message.say(str(fault), True)

    # Choices in the panels

    def _on_inputs(self) -> None:
        """Both chosen: the case is opened, unless a result would be lost by it."""
        self.answers.show_phase(self.controller.phase)
        self.first_steps.setVisible(self.inputs.ct.value() is None)
        if self.inputs.complete and self.controller.outcome is None and not self.controller.phase.busy:
            self._opening_timer.start()

    def _on_draw(self) -> None:
        try:
            self.layers.draw_region(self.inputs.region.setText)
        except ValueError as fault:
            self._message.say(str(fault), True)

    # Widgets

    def _lay_out(self) -> None:
        groups: list[list[QWidget]] = [
            [self.first_steps, self.inputs, self.network, self.organs],
            [self.slider, self.attacker, self.limits],
            [self.result, self.draws, self.walk, self.take_along, OpenButton(self._viewer)],
            [self.training],
        ]
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scrolling_column(groups, "Research use only."), 1)
        outer.addWidget(pinned([self.job, self._message]))
        self.setMinimumWidth(330)

    def _connect(self) -> None:
        controller = self.controller
        controller.said.connect(self._message.say)
        controller.loaded.connect(self._sweeps.begin)
        controller.ended.connect(self._sweeps.end)
        self.attacker.note_asked.connect(controller.note_attacker)
        self.draws.picked.connect(controller.pick)
        self.training.changed.connect(self.answers.show_training)
        self.training.train.clicked.connect(self.train)
        self.training.stop.clicked.connect(controller.cancel)
        self.inputs.changed.connect(self._on_inputs)
        self.first_steps.open_asked.connect(lambda: self.inputs.ct.set_value(self.inputs.ask_ct(self)))
        self.first_steps.sample_asked.connect(lambda: self._viewer.open_sample("napari-advseg", "phantom"))
        self.inputs.draw_asked.connect(self._on_draw)
        self.inputs.open_button.clicked.connect(self.open_case)
        self.inputs.network.changed.connect(self.network.clear)
        self.network.rename_asked.connect(self.answers.rename)
        self.network.refused.connect(lambda line: self._message.say(line, True))
        self.network.withdraw_asked.connect(controller.withdraw_trust)
        self.organs.changed.connect(lambda: self.slider.set_clean(self.organs.clean_mean()))
        self.job.run.clicked.connect(self.run)
        self.job.cancel.clicked.connect(controller.cancel)
        self.job.save.clicked.connect(self.save)
        self.job.undo.clicked.connect(controller.undo)
        self._opening_timer.timeout.connect(self.open_case)
        self.destroyed.connect(self.layers.disconnect_all)
        self.destroyed.connect(controller.shut_down)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(controller.shut_down)
