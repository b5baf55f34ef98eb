"""The terminal face: what is seen and pressed. No input or output of its own, and no rules.

``app`` is the application, ``start`` what it gets from the machine.
"""
