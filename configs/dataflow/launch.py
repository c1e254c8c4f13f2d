"""What a Flex Template of Dataflow launches: the build of a corpus, which goes on in Dataflow when this has ended."""

import argparse
import sys

from spectroshard import cli


def main() -> int:
    """Begins a build; options that are not a template's own are Beam's."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--music", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--config", default="")
    options, beam_flags = parser.parse_known_args()
    config = ["--config", options.config] if options.config else []
    return cli.main(["build", options.music, *config, "--output", options.output, "--detach", "--", *beam_flags])


if __name__ == "__main__":
    sys.exit(main())
