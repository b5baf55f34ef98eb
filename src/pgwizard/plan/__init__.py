"""Answers and facts become objects: the rules across answers, every value, and the rendered manifests. Pure.

``checks`` finds what is wrong with answers, ``plan`` computes every value, ``manifests`` renders them.
"""
