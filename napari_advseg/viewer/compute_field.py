"""Where attacks are computed: this computer, or the worker of a Dask scheduler, and a line on what is there."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from .compare.background import Background
from .faults import fault_line
from .habits import last_compute, note_compute

HERE = "This computer"
_TIP = (
    "Where attacks are computed: this computer, or the address of a Dask scheduler, such as tls://host:8786, or the .json "
    "file that it writes. The CT's voxels, the labels and the network are sent to its worker; opening a case and the "
    "slider stay here."
)


class ComputeField(QWidget):
    """An address to be chosen or typed; ``changed`` carries it, "" for this computer.

    What is there is found out beside the main thread. It begins with this computer, so that no CT leaves it unasked; the
    address that answered last is offered.
    """

    changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.look_at: Callable[[str], str] = lambda _address: ""  # asked in a thread; what it raises is told
        self._address = ""
        self._background = Background()
        self.box = QComboBox()
        self.box.setEditable(True)
        self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.box.addItem(HERE)
        if last := last_compute():
            self.box.addItem(last)
        self.box.setToolTip(_TIP)
        self.line = QLabel()
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.line.setWordWrap(True)
        self.line.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.box)
        column.addWidget(self.line)
        self.box.activated.connect(self._on_chosen)
        editor = self.box.lineEdit()
        if editor is not None:
            editor.editingFinished.connect(self._on_chosen)
        self._background.done.connect(self._on_there)
        self._background.failed.connect(self._on_fault)

    def address(self) -> str:
        """The scheduler's address or file; "" for this computer."""
        text = str(self.box.currentText()).strip()
        return "" if text == HERE else text

    def set_address(self, address: str) -> None:
        """Choose an address, "" for this computer, and look what is there."""
        self.box.setEditText(address or HERE)
        self._on_chosen()

    def let_go(self) -> None:
        """What is being found out is not told any more."""
        self._background.drop()

    def _on_chosen(self) -> None:
        address = self.address()
        if not address:
            self.box.setEditText(HERE)
        if address == self._address and (self._background.busy or not address):
            return
        self._address = address
        self._background.drop()
        self._say(f"Looking at {address}…" if address else "")
        if address:
            look = self.look_at
            self._background.start(lambda: look(address))
        self.changed.emit(address)

    def _on_there(self, line: object) -> None:
        self._say(str(line))
        note_compute(self._address)
        if self.box.findText(self._address) < 0:
            self.box.addItem(self._address)

    def _on_fault(self, fault: BaseException) -> None:
        line = fault_line(fault)
        self._say(line[:1].upper() + line[1:])

    def _say(self, line: str) -> None:
        self.line.setText(line)
        self.line.setVisible(bool(line))
