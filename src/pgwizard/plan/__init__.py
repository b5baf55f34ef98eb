"""Answers and facts become objects: the rules across answers, every value, and the rendered manifests. Pure."""
