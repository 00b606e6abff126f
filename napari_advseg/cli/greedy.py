"""Options that take several values after one another: ``--drop 0.1 0.3 0.5``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class GreedyCommand(TyperCommand):
    """A command whose options that may be given several times take all values up to the next option.

    Its argument stands before them, or after ``--``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        several = {
            name
            for parameter in self.params
            if parameter.param_type_name == "option" and getattr(parameter, "multiple", False)
            for name in parameter.opts
        }
        spread: list[str] = []
        option, taken = "", 0
        for number, word in enumerate(args):
            if word == "--":
                spread += args[number:]
                break
            if word.startswith("-") and len(word) > 1:
                option, taken = (word, 0) if word in several else ("", 0)
            elif option:
                spread += [option] if taken else []
                taken += 1
            spread.append(word)
        return super().parse_args(ctx, spread)
