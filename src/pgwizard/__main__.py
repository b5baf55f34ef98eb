"""python -m pgwizard."""

from pgwizard.cli.main import main

main()
