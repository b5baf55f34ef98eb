"""The verbs, one function each, in modules by what they share. ``pgwizard.cli.table`` names them."""
