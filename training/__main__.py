"""`python -m training train|actor|evaluate|data|results|films-to-judge|pack ...`: what `lpm` hands its heavy verbs to.

Each verb's module adds its own arguments and runs them; errors of a person's making end in one line and exit status 1.
"""

import argparse
import importlib
import logging
import signal
import sys

from engine.errors import LpmError

# Imported only when asked for, so that `actor` needs no torch and `train` no benchmark.
VERBS = {
    "train": ("training.cli", "train a component of a pack, or all of them in order"),
    "actor": ("training.actor.cli", "draw clips and characters of the procedural actor"),
    "data": ("training.data.cli", "draw and encode the clips that models are trained on"),
    "results": ("training.plans.results_cli", "tables of what a plan's stages gave"),
    "films-to-judge": ("training.dpo.films_cli", "films of several seeds for people to vote on"),
    "pack": ("training.packing", "gather trained components into a model pack"),
    "evaluate": ("training.bench.cli", "measure a pack or a film"),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; 0 done, 1 failed with one line on standard error, 2 wrong usage."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="lpm", description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, (module_name, help_text) in VERBS.items():
        verb = verbs.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        if words[:1] == [name]:
            importlib.import_module(module_name).add_arguments(verb)
    options = parser.parse_args(words)
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill stops it as Ctrl+C does
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        importlib.import_module(VERBS[options.verb][0]).run(options)
    except LpmError as error:
        sys.stderr.write(f"lpm: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("lpm: stopped; a training run resumes from its last checkpoint with the same command\n")
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


if __name__ == "__main__":
    sys.exit(main())
