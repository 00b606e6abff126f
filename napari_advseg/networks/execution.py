"""How a network is run where memory is short: a ladder of slower ways that need less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .kept_graphs import KeptGraphs
from .still_windows import StillWindows
from .stitching import Spared

T = TypeVar("T")
_CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d
)  # fmt: skip
_NO_MEMORY = ("allocate memory", "not enough memory")  # torch's allocator on the CPU: of Unix, of Windows
_LOST = ("CUDA error", "CUDA driver error", "HIP error", "MPS backend", "CUBLAS_STATUS", "CUDNN_STATUS")


class OutOfMemory(RuntimeError):
    """Memory ran out on the last rung of the ladder; one line that says what to do."""


class DeviceLost(RuntimeError):
    """The device does not answer any more; one line that says what to do."""


@dataclass
class Execution:
    """How the network is run just now.

    Parameters
    ----------
    batch
        Windows or slices per call.
    checkpointing
        Keep only the inputs of blocks for the way back, and run the blocks again.
    half
        Half precision for gradients, where that is safe (autocast); what is measured is measured in full.
    rough
        Whether the last scores came in half precision, since their graph was kept for a gradient: not to be reported.
    device
        Where the module runs; image and scores stay where they are.
    graphs, still
        Windows whose graphs are kept, and those that need not be run.
    notes
        What was given up so far, one line each, for people.
    """

    batch: int
    device: torch.device
    checkpointing: bool = False
    half: bool = False
    rough: bool = False
    graphs: KeptGraphs = field(default_factory=KeptGraphs)
    still: StillWindows = field(default_factory=StillWindows)
    notes: list[str] = field(default_factory=list)

    def ask_for(self, *, checkpointing: bool, half: bool) -> None:
        """Save memory from the start; what was climbed down to before stays."""
        self.checkpointing |= checkpointing
        self.half |= half
        if checkpointing:
            self.still.give_up()

    def precision(self, image: Tensor) -> AbstractContextManager[Any]:
        """Autocast where half precision is on and ``image`` wants a gradient: bfloat16 where the device has it, because it
        does not overflow."""
        if not self.half_for(image):
            return nullcontext()
        kind = self.device.type
        bfloat = kind == "cpu" or (kind == "cuda" and torch.cuda.is_bf16_supported())
        return torch.autocast(kind, dtype=torch.bfloat16 if bfloat else torch.float16)

    def half_for(self, image: Tensor) -> bool:
        """Whether ``image`` goes through in half precision."""
        return self.half and image.requires_grad and torch.is_grad_enabled()

    def spared(self, image: Tensor, again: Callable[[], object], *, repeats: bool) -> Spared:
        """What need not be run: no graph is kept where memory is to be saved or in half precision, whose passes measure
        nothing; all windows run of a network that does not repeat itself."""
        nothing = Spared(again=again)
        saving = self.checkpointing or self.half_for(image) or not (image.requires_grad and torch.is_grad_enabled())
        return Spared(nothing.graphs if saving else self.graphs, self.still if repeats else nothing.still, again)

    @contextmanager
    def halved(self, half: bool) -> Iterator[None]:
        """Gradients in half precision while inside, where ``half`` says so; outside as before."""
        before, self.half = self.half, self.half or half
        try:
            yield
        finally:
            self.half = before

    def climb_down(self, module: nn.Module) -> str | None:
        """Take the next step down; the line to show, None where there is no further one."""
        if self.graphs.kept or self.still.holds:
            self.graphs.on, self.graphs.kept = False, 0
            self.still.give_up()
            note = "nothing of the windows kept between passes"
        elif self.batch > 1:
            self.batch = max(1, self.batch // 2)
            note = f"{self.batch} window{'s' if self.batch > 1 else ''} at a time"
        elif not self.checkpointing and checkpointable_blocks(module):
            self.checkpointing = True
            note = "activation checkpointing"
        elif not self.half and self.device.type == "cuda" and torch.is_grad_enabled():  # nothing else gets smaller
            self.half = True
            note = "gradients in half precision"
        elif self.device.type != "cpu":
            self.device, self.half = torch.device("cpu"), False
            note = "the network on the CPU"
        else:
            return None
        if self.device.type == "cpu":
            module.to(self.device)
        line = f"Memory ran out; going on with {note}"
        self.notes.append(line)
        return line

    def enduring(self, module: nn.Module, work: Callable[[], T]) -> T:
        """``work()``, again after each step down the ladder for as long as memory runs out.

        Raises
        ------
        OutOfMemory
            There is no further step.
        DeviceLost
            The device failed for another reason: what it is asked next fails too, in this process.
        """
        while True:
            try:
                return work()
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as fault:
                if not ran_out(fault):
                    if (line := lost_device(fault)) is not None:
                        raise DeviceLost(line) from fault
                    raise
                where = self.device
                if where.type == "cuda":
                    torch.cuda.empty_cache()
            if self.climb_down(module) is None:
                raise OutOfMemory(
                    f"memory ran out on {where} even for one window: give a smaller region, close other programs, or "
                    "use a computer with more memory"
                )


def ran_out(fault: BaseException) -> bool:
    """Whether an exception means that memory ran out, on the CPU as on the GPU."""
    if isinstance(fault, OutOfMemory):
        return False
    return isinstance(fault, torch.OutOfMemoryError | MemoryError) or any(words in str(fault) for words in _NO_MEMORY)


def lost_device(fault: BaseException) -> str | None:
    """One line where an exception means that the device failed, and not what ran on it; else None."""
    first = (str(fault).splitlines() or [""])[0]
    if isinstance(fault, DeviceLost | OutOfMemory) or not any(words in first for words in _LOST):
        return None
    return f"the device does not answer any more ({first}): start the program anew, or use the device cpu"


def checkpointable_blocks(module: nn.Module) -> list[nn.Module]:
    """The smallest modules of Python that hold a convolution and are none."""
    holders = [
        part for part in module.modules() if not isinstance(part, _CONVOLUTIONS) and _python(part) and _convolves(part)
    ]
    return [
        part for part in holders if part is not module and not any(_inside(other, part) for other in holders)
    ]  # fmt: skip


@contextmanager
def checkpointed(module: nn.Module) -> Iterator[None]:
    """Run the blocks of ``module`` under activation checkpointing while inside."""
    blocks = checkpointable_blocks(module)
    for block in blocks:
        block.forward = _again_on_the_way_back(block.forward)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _again_on_the_way_back(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        return checkpoint(forward, *arguments, use_reentrant=False)

    return run


def _python(part: nn.Module) -> bool:
    return not isinstance(part, torch.jit.ScriptModule | nn.ModuleList | nn.ModuleDict)


def _convolves(part: nn.Module) -> bool:
    return any(isinstance(inner, _CONVOLUTIONS) for inner in part.modules())


def _inside(inner: nn.Module, outer: nn.Module) -> bool:
    return inner is not outer and any(part is inner for part in outer.modules())
