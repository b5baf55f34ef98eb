"""The screens, one a module. None reaches into another."""
