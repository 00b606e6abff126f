"""What an attack shows: measures, random control, the bundle on disk, verification, figure."""

from .bundle import check_replaceable, result_record, save_bundle
from .bundle_reading import Bundle, read_bundle, read_record
from .chance import chance_costs, chance_sentence, chance_verdict
from .control import control_parameters, measure_control
from .examples import draw_examples
from .figure import draw_figure, sentence
from .measures import Evidence, measure_evidence, newly_wrong, noise_ratio, ssim
from .moving_pictures import MovingPicture, blink, play
from .organ_table import OrganRow, hd95_mm, organ_table
from .page import page_environment
from .palette import organ_colour
from .picture_files import SUFFIXES, save_picture
from .report import result_sentences, write_report
from .reproduction import Reproduction, reproduction
from .stored_path import StoredPath
from .verification import Check, verify_bundle

__all__ = [
    "SUFFIXES",
    "Bundle",
    "Check",
    "Evidence",
    "MovingPicture",
    "OrganRow",
    "Reproduction",
    "StoredPath",
    "blink",
    "chance_costs",
    "chance_sentence",
    "chance_verdict",
    "check_replaceable",
    "control_parameters",
    "draw_examples",
    "draw_figure",
    "hd95_mm",
    "measure_control",
    "measure_evidence",
    "newly_wrong",
    "noise_ratio",
    "organ_colour",
    "organ_table",
    "page_environment",
    "play",
    "read_bundle",
    "read_record",
    "reproduction",
    "result_record",
    "result_sentences",
    "save_bundle",
    "save_picture",
    "sentence",
    "ssim",
    "verify_bundle",
    "write_report",
]
