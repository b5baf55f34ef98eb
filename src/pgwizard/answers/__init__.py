"""What a person decides: the questions, the file that holds their answers, and what is derived from them."""
