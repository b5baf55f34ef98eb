"""python -m pgwizard."""

from pgwizard.cli import main

main()
