"""Label rules from the configuration: the group `labels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weakpan.basics.errors import ConfigError, WeakpanError
from weakpan.basics.settings import nearest
from weakpan.config.objects import build
from weakpan.labels.pipeline import LabelRules
from weakpan.labels.rule import Rule

_KEYS = ("rules", "instances")


def build_rules(group: Mapping[str, Any]) -> LabelRules:
    """The rules of the group `labels`, in their order; those that are null are switched off.

    Raises:
        ConfigError: an unknown key, a class that is no rule, or a value out of range, with the full key.
    """
    for key in group:
        if key not in _KEYS:
            raise ConfigError(f"no such key; {nearest(str(key), _KEYS)}", key=f"labels.{key}")
    instances, nodes = group.get("instances", True), group.get("rules") or {}
    if not isinstance(instances, bool):
        raise ConfigError("expected true or false", key="labels.instances", found=instances)
    if not isinstance(nodes, Mapping):
        raise ConfigError("expected rules by name", key="labels.rules", found=nodes)
    rules = {str(name): build(Rule, node, f"labels.rules.{name}") for name, node in nodes.items() if node is not None}
    try:
        return LabelRules(rules, instances)
    except WeakpanError as error:
        raise error.below("labels") from error
