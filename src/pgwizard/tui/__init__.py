"""The Textual face: what is seen and pressed. No I/O of its own, and no rules: those are the modules below."""
