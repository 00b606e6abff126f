"""YAML from files that others wrote: plain data, and no more of it than is written."""

from __future__ import annotations

from typing import Any

import yaml

_MOST_VALUES = 100_000  # with every alias written out; a card has some fifty
_DEEPEST = 100


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which alone would follow a few lines of aliases to a billion values."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self._values, self._depth = 0, 0
        self._sizes: dict[int, int] = {}  # of the whole nodes

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        is_alias, before = self.check_event(yaml.AliasEvent), self._values
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError("it is nested too deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._values += self._sizes.get(id(node), _MOST_VALUES) if is_alias else 1  # no size yet: it holds itself
        if not is_alias:
            self._sizes[id(node)] = self._values - before
        if self._values > _MOST_VALUES:
            raise yaml.YAMLError("its aliases swell it beyond reason: write the values out")
        return node


def parse_yaml(text: str | bytes) -> Any:
    """The content of a YAML text.

    Raises
    ------
    yaml.YAMLError, ValueError
        It is no YAML, its tags ask for objects, or it would swell.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except (ArithmeticError, AttributeError, LookupError, TypeError) as fault:
        # PyYAML converts what a tag names (!!int, !!bool, !!timestamp) without looking whether the text is one.
        raise yaml.YAMLError("a value is not what its tag says: write it without the tag") from fault
    finally:
        loader.dispose()
