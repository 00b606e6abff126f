"""The CT, the network, the labels, the region, the device, and where attacks are computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from .choice_box import Browse, ChoiceBox, ask_file, ask_folder
from .compute_field import ComputeField
from .core import Offers
from .fold import Fold
from .layer_source import LayerSource, take_layer
from .wishes import CaseWish

_IMAGES = "Images (*.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd *.dcm);;All files (*)"
_NETWORKS = "Checkpoints (*.pth *.pt *.pt2 *.safetensors *.ts *.zip);;All files (*)"

_MORE = "More about the case"


class InputsPanel(QWidget):
    """Which case. ``changed`` is sent when the CT, the network or the reference is chosen anew."""

    changed = Signal()
    draw_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.ask_ct = ask_file("Open a CT", _IMAGES)
        self.ct = ChoiceBox(
            "choose a CT…",
            [
                Browse("File", "A NIfTI, NRRD, MHA or DICOM file", self.ask_ct),
                Browse("Folder", "A folder with the slices of a DICOM series", ask_folder("Open a DICOM folder")),
            ],
            "The CT: an open image layer (its world taken as mm: Superior, Posterior, Left), a file, a DICOM folder",
        )
        self.network = ChoiceBox(
            "choose a network…",
            [
                Browse(
                    "File",
                    "A checkpoint, or a zip of an nnU-Net result or a MONAI bundle",
                    ask_file("Open a checkpoint", _NETWORKS, "networks"),
                ),
                Browse(
                    "Folder",
                    "An nnU-Net results folder, or a MONAI bundle",
                    ask_folder("Open a model folder", "networks"),
                ),
            ],
            "The segmentation network to be attacked",
        )
        self.reference = ChoiceBox(
            "none: the network's own segmentation",
            [Browse("File", "A label map", ask_file("Open reference labels", _IMAGES))],
            "Labels of the case, which the Dice is measured against; without them the network's own clean segmentation",
        )
        self.label_names = ChoiceBox(
            "ids are the network's",
            [Browse("File", 'JSON such as {"liver": 5}', ask_file("Open label names", "JSON (*.json)"))],
            "Which organ each id of the reference labels is",
        )
        self.device = QComboBox()
        self.device.addItem("auto")
        self.device.setToolTip("Where the network runs on this computer; auto takes the best one that works")
        self.compute = ComputeField()
        self.compute.changed.connect(self._on_compute)
        self.region = QLineEdit()
        self.region.setPlaceholderText("automatic")
        self.region.setClearButtonEnabled(True)
        self.region.setToolTip(
            "Where the CT may change, as z0:z1,y0:y1,x0:x1 in voxels of the CT's own array; empty: around the organs "
            "for a network of fixed input size, else everywhere"
        )
        self.draw = QPushButton("Draw")
        self.draw.setToolTip(
            "Draw a rectangle in the viewer; a second one in another plane limits the third axis, "
            "or edit the numbers by hand"
        )
        self.open_button = QPushButton("Open case")
        self.open_button.setToolTip("Read the CT, run the network on it, and list the organs that can be scored")
        self._lay_out()
        for box in (self.ct, self.network, self.reference):
            box.changed.connect(self._on_changed)
        self.draw.clicked.connect(self.draw_asked)

    def offer(self, offers: Offers) -> None:
        """List the known networks and the devices."""
        self.network.set_offers([(f"{name}: {about}", name) for name, about in offers.networks.items()])
        self.device.clear()
        self.device.addItems(["auto", *offers.devices])

    def offer_layers(self, images: list[Any], labels: list[Any]) -> None:
        """List the open layers."""
        self.ct.set_offers([(layer.name, layer) for layer in images])
        self.reference.set_offers([(layer.name, layer) for layer in labels])

    @property
    def complete(self) -> bool:
        """Whether a CT and a network are chosen."""
        return self.ct.value() is not None and self.network.value() is not None

    def _on_changed(self) -> None:
        """Closed, the panel names what is chosen; where something is missing it is opened for that to be chosen."""
        self._set_title()
        if not self.complete:
            self.fold.expand()
        self.changed.emit()

    def _on_compute(self, address: str) -> None:
        """Seen with the folds closed, too: a CT leaves this computer."""
        self.more.setText(f"{_MORE}: on {address}" if address else _MORE)
        self._set_title()

    def _set_title(self) -> None:
        chosen = [box.text() for box in (self.ct, self.network) if box.value() is not None]
        chosen += [f"on {address}"] if (address := self.compute.address()) else []
        self.fold.setText("Case" + (": " + ", ".join(chosen) if chosen else ""))

    def wish(self, otherwise: Any = None) -> CaseWish:
        """What is chosen; ``otherwise`` is the CT where none is.

        Raises
        ------
        ValueError
            With one line, where something is missing or a layer is no CT.
        """
        ct, network, reference = self.ct.value(), self.network.value(), self.reference.value()
        names = self.label_names.value()
        ct = otherwise if ct is None else ct
        if ct is None:
            raise ValueError("Choose a CT: an open image layer, a file or a DICOM folder.")
        if network is None:
            raise ValueError("Choose a network: a known one, a checkpoint file or a model folder.")
        return CaseWish(
            ct=_path_or_layer(ct),
            network=str(network),
            reference=None if reference is None else _path_or_layer(reference),
            label_names=names if isinstance(names, Path) else None,
            region=self.region.text().replace(" ", "") or "auto",
            device=self.device.currentText(),
        )

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("CT", self.ct)
        form.addRow("Network", self.network)
        form.addRow("Reference", self.reference)
        more = QWidget()
        extra = QFormLayout(more)
        extra.setContentsMargins(0, 0, 0, 0)
        extra.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        box = QHBoxLayout()
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.region, 1)
        box.addWidget(self.draw)
        extra.addRow("Label names", self.label_names)
        extra.addRow("Region", box)
        extra.addRow("Device", self.device)
        extra.addRow("Compute", self.compute)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(form)
        self.more = Fold(_MORE, more)
        column.addWidget(self.more)
        column.addWidget(self.open_button)
        self.fold = Fold("Case", inner, expanded=True)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.fold)


def _path_or_layer(value: Any) -> Path | LayerSource:
    return value if isinstance(value, Path) else take_layer(value)
