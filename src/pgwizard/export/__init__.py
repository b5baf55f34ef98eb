"""The same templates for Helm: a chart whose values are the answers, and whose branches are those of the templates.

It makes texts alone and writes no file. Outsiders use ``folder`` for all files of a format, ``chart`` for the values
alone, and ``prerequisites``; ``translate`` is the translation of one template, and ``values`` says where each field of
a plan is among the chart's values.
"""
