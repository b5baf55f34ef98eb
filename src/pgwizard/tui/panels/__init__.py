"""The panels beside the pages: what follows from a page's answers, live. A panel shows a draft and decides nothing.

``by_page`` has the panel of each page that has one; ``base`` is what they have in common.
"""
