"""The pages of the wizard: questions as widgets, and the panels beside them."""
