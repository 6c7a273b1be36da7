"""The frame of the command line: what a command is, families of them, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from config.version import VERSION


def _no_words(one: argparse.ArgumentParser) -> None:
    """A command without options of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One word on the command line; its help teaches by example."""

    name: str
    about: str  #: its line in `tinglan --help`
    text: str  #: its own help
    example: str = ""
    words: Callable[[argparse.ArgumentParser], None] = _no_words  #: adds its options
    run: Callable[[argparse.Namespace], int]  #: answers the exit code


@dataclass(frozen=True, slots=True)
class Family:
    """Commands that are shown together."""

    title: str
    commands: Sequence[Command]


def grammar(families: Sequence[Family]) -> argparse.ArgumentParser:
    """Everything that can be typed."""
    top = argparse.ArgumentParser(
        prog="tinglan",
        description="听澜：本单位自有渠道的舆情监测——发现、研判、报送、处置、办结。",
        epilog="\n".join(_told(families)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tinglan COMMAND [options]",
    )
    top.add_argument("--version", action="version", version=f"tinglan {VERSION}")
    top.set_defaults(config=None, json=False)
    chosen = top.add_subparsers(dest="command", metavar="COMMAND", help=argparse.SUPPRESS)
    for family in families:
        for command in family.commands:
            made = chosen.add_parser(
                command.name,
                help=argparse.SUPPRESS,
                description=command.text,
                prog=f"tinglan {command.name}",
                epilog=f"例：\n  {command.example or f'tinglan {command.name}'}",
                formatter_class=argparse.RawDescriptionHelpFormatter,
                parents=[_common()],
            )
            made.set_defaults(run=command.run)
            command.words(made)
    return top


def actions(one: argparse.ArgumentParser) -> Callable[[str, str], argparse.ArgumentParser]:
    """For a command such as `items list|show|move`: adds an action by (name, help)."""
    chosen = one.add_subparsers(dest="action")
    return lambda name, text: chosen.add_parser(name, help=text, parents=[_common()])


def _common() -> argparse.ArgumentParser:
    """What every command takes; suppressed defaults, so that either place on the line counts."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--config", metavar="FILE", help="设置文件（默认 ./tinglan.toml 或 $TINGLAN_CONFIG）"
    )
    common.add_argument("--json", action="store_true", help="只在标准输出打印 JSON")
    return common


def _told(families: Sequence[Family]) -> Iterable[str]:
    for family in families:
        yield f"{family.title}:"
        for command in family.commands:
            yield f"  {command.name:<12}{command.about}"
