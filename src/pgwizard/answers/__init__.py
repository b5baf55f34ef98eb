"""What a person decides: the questions, the file that holds their answers, and what is derived from them.

``questions`` has the models, ``file`` reads and writes the file, ``schema`` walks the models.
"""
