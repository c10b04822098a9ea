"""Shared by both command lines: repeated options; errors as one line with exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click


class RepeatedOption(click.Option):
    """An option that takes one or more values after each flag: --where a=b c=d."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, multiple=True, **attributes)


class PipeClosed(Exception):
    """The reader of standard output has gone. Not an OSError, for which click ends with code 1."""


class Command(click.Command):
    """A command with repeated options and unambiguous abbreviations: --form for --format."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises PipeClosed where nobody reads what it prints."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosed from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; a flag is repeated before each further value that follows it."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        names = [name for option in options for name in option.opts]
        repeated = {
            name for option in options if isinstance(option, RepeatedOption) for name in option.opts
        }
        full = [_full_name(argument, names) for argument in args]
        return super().parse_args(ctx, list(_with_repeated_flags(full, repeated)))


def _full_name(argument: str, names: Sequence[str]) -> str:
    name, sign, value = argument.partition("=")
    if not name.startswith("--") or name == "--" or name in names:
        return argument
    matches = [option for option in names if option.startswith(name)]
    return f"{matches[0]}{sign}{value}" if len(matches) == 1 else argument


def _with_repeated_flags(args: Iterable[str], flags: set[str]) -> Iterable[str]:
    flag = ""
    has_value = False
    for argument in args:
        if argument.startswith("-"):
            flag = argument if argument in flags else ""
            has_value = False
        elif flag:
            if has_value:
                yield flag
            has_value = True
        yield argument


def run(commands: click.Group, argv: Sequence[str] | None, program: str) -> int:
    """Run a command and return its exit code.

    Wrong use is one line on stderr and exit code 2; errors of the product are raised to the caller.
    A reader that closes the pipe early, such as `head`, has what it wants: exit code 0.
    """
    try:
        code = _run(commands, argv, program)
        sys.stdout.flush()
    except (BrokenPipeError, PipeClosed):
        # What is still buffered would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(commands: click.Group, argv: Sequence[str] | None, program: str) -> int:
    arguments = None if argv is None else list(argv)
    try:
        return commands.main(arguments, prog_name=program, standalone_mode=False) or 0
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else program
        message = " ".join(error.format_message().split())
        print(f"{message} See `{path} --help`.", file=sys.stderr)
        return 2
