"""Answers and facts become objects: the rules across answers, every value, and the rendered manifests. Pure.

``checks`` finds the problems of answers, ``plan`` computes every value, ``manifests`` renders them.
"""
